import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import type {Before} from '../../provision/plan-return.ts'
import type {Pace} from '../../provision/smoke.ts'
import {cannot, writeWhole} from '../../state/write-file.ts'

/** What has to be known of a node that is being changed, also after a crash of ours. */
export interface RollEntry {
  /** It takes requests again when it is done; else somebody else had drained it. */
  readonly drainedByUs: boolean
  readonly before: Before
  /** Its change has begun. */
  readonly disturbed: boolean
  /** How fast it was before; absent: not measured. */
  readonly pace?: Pace
}

/** The nodes that are being changed. Only for who holds the deploy lock. */
export interface RollJournal {
  get(node: string): RollEntry | undefined
  /** By node. */
  all(): ReadonlyMap<string, RollEntry>
  /** Resolves when it is on disk. STATE_IO. */
  put(node: string, entry: RollEntry): Promise<void>
  remove(node: string): Promise<void>
}

/** Opens the journal in the directory of a cluster's deploy lock. One that cannot be read counts as empty. */
export function openJournal(directory: string): RollJournal {
  const file = join(directory, 'roll.json')
  const entries = new Map<string, RollEntry>(Object.entries(read(file)))
  let last = Promise.resolve()
  const write = () => {
    const text = `${JSON.stringify(Object.fromEntries(entries), undefined, 1)}\n`
    last = last.catch(() => undefined).then(() => writeWhole(file, text))
    return last
  }
  return {
    get: (node) => entries.get(node),
    all: () => entries,
    put(node, entry) {
      entries.set(node, entry)
      return write()
    },
    async remove(node) {
      if (entries.delete(node)) await write()
    },
  }
}

function read(file: string): Record<string, RollEntry> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, RollEntry>
  } catch (error) {
    if (error instanceof SyntaxError || (error as {code?: string}).code === 'ENOENT') return {}
    throw cannot('read', file, error)
  }
}
