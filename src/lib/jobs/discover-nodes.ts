import {lookup} from 'node:dns/promises'
import {isIP} from 'node:net'
import type {NodeSpec} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {browseMdns} from '../discover/browse-mdns.ts'
import {type Found, mergeFound} from '../discover/found.ts'
import {probeAddresses} from '../discover/probe-addresses.ts'
import {addressesOf} from '../discover/ranges.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {resolveTarget} from '../ssh/target.ts'
import {confirmed} from './confirm.ts'
import type {Tools} from './tools.ts'

export interface DiscoverOptions {
  /** Ask by multicast DNS for so long; 0: not at all. */
  readonly listenMs: number
  /** Address of the interface to ask on. */
  readonly interface?: string | undefined
  /** IPv4 ranges to probe; none: nothing is probed. */
  readonly ranges: readonly string[]
  readonly sshPort: number
  readonly ollamaPort: number
  readonly maxHosts: number
  /** New connections per second. */
  readonly perSecond: number
  /** Longest wait for one answer. */
  readonly timeoutMs: number
  readonly yes: boolean
  readonly report: Reporter
}

/** A machine that could be a node. */
export interface DiscoveredNode extends Found {
  /** The node of this cluster that is this machine. */
  readonly node?: string
  /** A command that would add it. */
  readonly add?: string
}

export interface Discovered {
  readonly machines: readonly DiscoveredNode[]
}

const AT_ONCE = 64

/**
 * Looks for machines on the LAN: by multicast DNS, and by connecting to the addresses of given ranges after a question
 * (CONFIRM_NEEDED, NOT_CONFIRMED). Adds none. BAD_INPUT for a range that is none or too large.
 */
export async function discoverNodes(
  tools: Pick<Tools, 'cluster' | 'ask' | 'signal' | 'env'>,
  options: DiscoverOptions,
): Promise<Discovered> {
  const {ranges, listenMs, report} = options
  const {signal} = tools
  if (listenMs === 0 && ranges.length === 0)
    throw new OllamaxError(
      'BAD_INPUT',
      'there is nowhere to look: no mDNS, and no range is given',
      {
        suggestions: ['for example --range 10.0.0.0/24'],
      },
    )
  const addresses = addressesOf(ranges, options.maxHosts)
  if (addresses.length > 0) {
    const ports = `${options.sshPort} and ${options.ollamaPort}`
    const text = `Connect to ports ${ports} of ${addresses.length} addresses (${ranges.join(', ')})?`
    await confirmed(tools, options.yes, `${text} Only do so in networks where you may.`)
  }
  const [announced, probed] = await Promise.all([
    listenMs > 0 ? announcedOn(tools, options) : [],
    probeAddresses(addresses, {
      ...options,
      atOnce: AT_ONCE,
      signal,
      onProgress: (done) =>
        report({
          ...{kind: 'bytes', subject: 'discover', step: 'probe'},
          ...{done, total: addresses.length, unit: 'addresses'},
        }),
    }),
  ])
  const known = await knownAddresses(tools, (await tools.cluster()).nodes)
  const machines = mergeFound([...announced, ...probed]).map((found): DiscoveredNode => {
    const node = known.get(found.address)
    return node === undefined ? {...found, ...proposal(found)} : {...found, node}
  })
  return {machines}
}

/** A network without multicast is no reason to give up on the probe. */
async function announcedOn(
  {signal}: Pick<Tools, 'signal'>,
  options: DiscoverOptions,
): Promise<Found[]> {
  try {
    return await browseMdns({ms: options.listenMs, interface: options.interface, signal})
  } catch (error) {
    signal.throwIfAborted()
    options.report({kind: 'warn', subject: 'discover', text: messageOf(error)})
    return []
  }
}

/** By SSH where it is to be had, since Ollama then stays on that machine's loopback. */
function proposal({address, ssh, ollama}: Found): {add?: string} {
  if (ssh) return {add: `ollamax node add ${address}${ssh.port === 22 ? '' : `:${ssh.port}`}`}
  return ollama ? {add: `ollamax node add http://${address}:${ollama.port}`} : {}
}

/** Addresses of the nodes that there are; one whose name cannot be resolved is passed over. */
async function knownAddresses(
  {env, signal}: Pick<Tools, 'env' | 'signal'>,
  nodes: readonly NodeSpec[],
): Promise<Map<string, string>> {
  const known = new Map<string, string>()
  await Promise.all(
    nodes.map(async (node) => {
      const host = await hostOf(node, {env, signal}).catch(() => undefined)
      if (host === undefined) return
      const found = isIP(host) ? [{address: host}] : await lookup(host, {all: true}).catch(() => [])
      for (const {address} of found) known.set(address, node.name)
    }),
  )
  return known
}

async function hostOf(
  node: NodeSpec,
  options: Pick<Tools, 'env' | 'signal'>,
): Promise<string | undefined> {
  if (node.kind === 'direct') return new URL(node.url).hostname.replace(/^\[|\]$/g, '')
  return node.kind === 'ssh' ? (await resolveTarget(node.ssh, options)).host : undefined
}
