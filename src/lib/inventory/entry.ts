import {OllamaxError} from '../errors.ts'

/** A machine as an inventory names it. */
export interface InventoryEntry {
  readonly name: string
  /** `[user@]host[:port]`, or an alias of ssh_config. */
  readonly ssh: string
  readonly labels: Readonly<Record<string, string>>
}

/** What an inventory says that can be used, and what of it was left out, in words. */
export interface Inventory {
  readonly entries: readonly InventoryEntry[]
  readonly notes: readonly string[]
}

/** `[user@]host[:port]`; a host with colons of its own goes into brackets where a port follows. */
export function sshTarget(where: {
  readonly host: string
  readonly user?: string | undefined
  readonly port?: string | undefined
}): string {
  const {host, user, port} = where
  const colons = host.includes(':') && !host.startsWith('[')
  const named =
    port === undefined || port === '22' ? host : `${colons ? `[${host}]` : host}:${port}`
  return user ? `${user}@${named}` : named
}

/** BAD_INPUT that names the line. */
export function badLine(line: number, why: string): OllamaxError {
  return new OllamaxError('BAD_INPUT', `line ${line} of the inventory: ${why}`, {
    suggestions: ['mend that line, or take it out'],
    details: {line},
  })
}
