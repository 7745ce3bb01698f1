import type {NodeSpec} from '../cluster/node.ts'
import type {Tools} from './tools.ts'

/** Prints what is free of the memory and, where there is one, of NVIDIA GPUs, in KiB. */
const MEMORY = String.raw`
exec 2>/dev/null
sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo
command -v nvidia-smi >/dev/null && timeout 10 nvidia-smi --query-gpu=memory.free --format=csv,noheader,nounits | awk '{print $1 * 1024}'
:
`

/**
 * Bytes that a model could take on a node: free memory and that of its GPUs. Undefined where it cannot be seen (a node
 * by URL, macOS); what other models there would give back when idle is not counted.
 */
export async function memoryOf(
  tools: Pick<Tools, 'dial' | 'signal'>,
  node: NodeSpec,
): Promise<number | undefined> {
  if (node.kind !== 'ssh') return undefined
  const remote = await tools.dial(node)
  const said = await remote.exec(MEMORY, {reads: true, signal: tools.signal, timeoutMs: 15_000})
  const numbers = said.stdout.split('\n').filter((line) => /^\d+$/.test(line))
  if (numbers.length === 0) return undefined
  return numbers.reduce((sum, line) => sum + Number(line), 0) * 1024
}
