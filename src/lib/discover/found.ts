/** What was seen of a machine. */
export interface Found {
  readonly address: string
  /** As it calls itself, without `.local`. */
  readonly name?: string
  /** Port and greeting of an SSH server; no greeting: it was only announced. */
  readonly ssh?: {readonly port: number; readonly greeting?: string}
  /** Port and version of an Ollama; no version: it was only announced. */
  readonly ollama?: {readonly port: number; readonly version?: string}
}

/** What several looks at the same addresses saw, sorted by address; what was asked goes before what was announced. */
export function mergeFound(all: readonly Found[]): Found[] {
  const byAddress = new Map<string, Found>()
  for (const found of all) {
    const before = byAddress.get(found.address)
    const ssh = found.ssh?.greeting === undefined ? (before?.ssh ?? found.ssh) : found.ssh
    const ollama =
      found.ollama?.version === undefined ? (before?.ollama ?? found.ollama) : found.ollama
    byAddress.set(found.address, {
      ...before,
      ...found,
      ...(ssh ? {ssh} : {}),
      ...(ollama ? {ollama} : {}),
    })
  }
  return [...byAddress.values()].sort((a, b) =>
    a.address.localeCompare(b.address, 'en', {numeric: true}),
  )
}
