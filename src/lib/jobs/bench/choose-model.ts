import {modelKey} from '../../cluster/model-name.ts'
import type {ModelTag, Reading} from '../../cluster/reading.ts'
import {OllamaxError} from '../../errors.ts'

/**
 * The model to measure where none was named: the one that most nodes have in memory, so that nobody's is driven out;
 * else the smallest of those that most nodes have on disk. MODEL_NOT_FOUND where no node has one that writes texts.
 */
export function chooseModel(readings: readonly Reading[]): string {
  const seen = new Map<string, {name: string; loaded: number; nodes: number; bytes: number}>()
  for (const reading of readings) {
    if (reading.kind !== 'up') continue
    const loaded = new Set(reading.loaded.map(({name}) => modelKey(name)))
    for (const tag of reading.models.filter(writes)) {
      const key = modelKey(tag.name)
      const of = seen.get(key) ?? {name: tag.name, loaded: 0, nodes: 0, bytes: tag.sizeBytes}
      seen.set(key, of)
      of.nodes++
      if (loaded.has(key)) of.loaded++
    }
  }
  const [best] = [...seen.values()].sort(
    (a, b) => b.loaded - a.loaded || b.nodes - a.nodes || a.bytes - b.bytes,
  )
  if (best) return best.name
  throw new OllamaxError('MODEL_NOT_FOUND', 'no node that is up has a model that writes texts', {
    suggestions: ['see what they have: ollamax status', 'name one: ollamax bench --model NAME'],
  })
}

const writes = ({capabilities}: ModelTag) => capabilities?.includes('completion') ?? true
