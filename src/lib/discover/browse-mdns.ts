import {setTimeout as pause} from 'node:timers/promises'
import makeMdns from 'multicast-dns'
import type {Found} from './found.ts'

export interface BrowseOptions {
  /** How long is listened. */
  readonly ms: number
  /** Address of the interface to ask on; absent: as the system has it. */
  readonly interface?: string | undefined
  readonly signal: AbortSignal
}

const SSH = '_ssh._tcp.local'
const OLLAMA = '_ollama._tcp.local'

/** More than a LAN has; the rest of a flood is left alone. */
const MOST_RECORDS = 5000

interface Service {
  readonly kind: 'ssh' | 'ollama'
  readonly host: string
  readonly port: number
}

/**
 * Asks the LAN by multicast DNS who announces SSH or Ollama, and listens for answers. Throws what opening the
 * socket throws, in words.
 */
export async function browseMdns(options: BrowseOptions): Promise<Found[]> {
  const {signal} = options
  const services = new Map<string, Service>()
  const addresses = new Map<string, Set<string>>()
  const mdns = makeMdns(
    options.interface === undefined ? {} : {interface: options.interface, bind: '0.0.0.0'},
  )
  try {
    const failed = new Promise<never>((_, reject) => {
      mdns.on('error', (error: Error) =>
        reject(new Error(`the LAN cannot be asked by multicast DNS: ${error.message}`)),
      )
    })
    mdns.on('response', ({answers, additionals}) => {
      if (services.size + addresses.size > MOST_RECORDS) return
      for (const record of [...(answers ?? []), ...(additionals ?? [])]) {
        if (record.type === 'SRV') {
          const kind = record.name.endsWith(SSH) ? 'ssh' : 'ollama'
          if (kind === 'ollama' && !record.name.endsWith(OLLAMA)) continue
          const {target: host, port} = record.data
          services.set(record.name, {kind, host: host.toLowerCase(), port})
          if (!addresses.has(host.toLowerCase())) mdns.query(host, 'A')
        }
        if (record.type === 'PTR' && [SSH, OLLAMA].includes(record.name))
          mdns.query(record.data, 'SRV')
        if (record.type === 'A') {
          const host = record.name.toLowerCase()
          addresses.set(host, (addresses.get(host) ?? new Set()).add(record.data))
        }
      }
    })
    const ask = () =>
      mdns.query([
        {name: SSH, type: 'PTR'},
        {name: OLLAMA, type: 'PTR'},
      ])
    ask()
    await Promise.race([failed, pause(options.ms / 2, undefined, {signal})])
    // Once more: the first packet may have been lost.
    ask()
    await Promise.race([failed, pause(options.ms / 2, undefined, {signal})])
  } finally {
    await new Promise<void>((resolve) => mdns.destroy(resolve))
  }
  return [...services.values()].flatMap(({kind, host, port}) =>
    [...(addresses.get(host) ?? [])].map((address) => ({
      address,
      name: host.replace(/\.local\.?$/, ''),
      [kind]: {port},
    })),
  )
}
