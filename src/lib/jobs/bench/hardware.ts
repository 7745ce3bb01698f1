import type {NodeSpec} from '../../cluster/node.ts'
import {probe} from '../../provision/probe.ts'
import type {Tools} from '../tools.ts'

/** What the machine is, as far as it can be seen over SSH. */
export interface Hardware {
  readonly arch: string
  readonly cpus: number | 'unknown'
  readonly memoryBytes: number | 'unknown'
  readonly gpus: readonly {
    readonly name: string
    readonly vramBytes: number | 'unknown'
    readonly driver: string
  }[]
  /** For example `Debian GNU/Linux 12 (bookworm)`. */
  readonly system: string
}

/** A look that takes longer is given up; the figures do not depend on it. */
const LOOK_MS = 20_000

/** Looks at the machine of an SSH node; undefined where there is no SSH, or it does not tell in time. */
export async function readHardware(
  tools: Pick<Tools, 'dial'>,
  node: NodeSpec,
  signal: AbortSignal,
): Promise<Hardware | undefined> {
  if (node.kind !== 'ssh') return undefined
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)])
    const facts = await probe(await tools.dial(node), {port: node.ollama.port, signal: limit})
    const {arch, cpus, memoryBytes, gpus, distribution, kernel} = facts
    return {
      ...{arch, cpus, memoryBytes},
      gpus:
        gpus === 'unknown'
          ? []
          : gpus.map(({name, vramBytes, driver}) => ({name, vramBytes, driver})),
      system: distribution === 'unknown' ? kernel : distribution.name,
    }
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}
