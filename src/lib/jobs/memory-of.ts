import type {NodeSpec} from '../cluster/node.ts'
import type {Tools} from './tools.ts'

/** Prints what there is of memory and what is free of it, in KiB: the machine's own, swap, and that of GPUs. */
const MEMORY = String.raw`
exec 2>/dev/null
sed -n 's/^MemAvailable: *\([0-9]*\) kB/free \1/p; s/^MemTotal: *\([0-9]*\) kB/all \1/p; s/^SwapTotal: *\([0-9]*\) kB/all \1/p' /proc/meminfo
seen=
if command -v nvidia-smi >/dev/null; then
  said=$(timeout 10 nvidia-smi --query-gpu=memory.free,memory.total --format=csv,noheader,nounits) && seen=1
  printf '%s\n' "$said" | awk -F', *' 'NF == 2 {print "free", $1 * 1024; print "all", $2 * 1024}'
fi
for f in /sys/class/drm/card*/device/mem_info_vram_total; do
  [ -r "$f" ] || continue
  seen=1
  all=$(cat "$f") used=$(cat "$(dirname "$f")/mem_info_vram_used")
  echo "all $((all / 1024))"
  echo "free $(((all - used) / 1024))"
done
[ -n "$seen" ] || for f in /dev/nvidia0 /dev/kfd /dev/dri/renderD*; do [ ! -e "$f" ] || echo more; done
:
`

/** Memory that can hold models. */
export interface NodeMemory {
  /** Free now, with that of GPUs; what other models there would give back when idle is not counted. */
  readonly freeBytes: number
  /** All of it, with swap and that of GPUs. */
  readonly totalBytes: number
  /** There is a GPU that does not tell how much it has. */
  readonly more: boolean
}

/** What a node has of memory. Undefined where it cannot be seen: a node by URL, macOS. */
export async function memoryOf(
  tools: Pick<Tools, 'dial' | 'signal'>,
  node: NodeSpec,
): Promise<NodeMemory | undefined> {
  if (node.kind !== 'ssh') return undefined
  const remote = await tools.dial(node)
  const said = await remote.exec(MEMORY, {reads: true, signal: tools.signal, timeoutMs: 15_000})
  return readMemory(said.stdout)
}

/** Reads what that script printed; undefined where it saw nothing. */
export function readMemory(output: string): NodeMemory | undefined {
  const sum = (key: string) => {
    const all = output.split('\n').flatMap((line) => {
      const kib = new RegExp(`^${key} (\\d+)$`).exec(line)?.[1]
      return kib === undefined ? [] : [Number(kib)]
    })
    return all.length === 0 ? undefined : all.reduce((total, one) => total + one, 0) * 1024
  }
  const [freeBytes, totalBytes] = [sum('free'), sum('all')]
  if (freeBytes === undefined || totalBytes === undefined) return undefined
  return {freeBytes, totalBytes, more: /^more$/m.test(output)}
}
