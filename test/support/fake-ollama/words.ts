import {sha256} from './model.ts'

const WORDS =
  'the node answers while small rivers carry quiet light over stone and every bridge knows its road home before dawn'.split(
    ' ',
  )

/** A reproducible source of numbers in [0, 1). */
function randomFrom(text: string): () => number {
  let state = Number.parseInt(sha256(text).slice(0, 8), 16)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `count` tokens, the same for the same text. */
export function tokensFrom(text: string, count: number): string[] {
  const random = randomFrom(text)
  return Array.from({length: count}, (_, i) => {
    const word = WORDS[Math.floor(random() * WORDS.length)] ?? 'the'
    return i === 0 ? word : ` ${word}`
  })
}

/** A given text in token-sized pieces; joined they are the text again. */
export function tokensOf(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? []
}

/** How many tokens the stand-in counts in a prompt: its words, plus what a template adds. */
export function countTokens(prompt: string): number {
  return tokensOf(prompt).length + 5
}

/** A value that fits the schema, in its simplest form. */
export function valueFor(schema: unknown): unknown {
  const s = (schema ?? {}) as Record<string, unknown>
  if (Array.isArray(s.enum)) return s.enum[0]
  if ('const' in s) return s.const
  const type = Array.isArray(s.type) ? s.type[0] : s.type
  if (type === 'object' || s.properties) {
    const properties = (s.properties ?? {}) as Record<string, unknown>
    return Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, valueFor(v)]))
  }
  if (type === 'array') return [valueFor(s.items)]
  if (type === 'integer' || type === 'number') return (s.minimum as number | undefined) ?? 1
  if (type === 'boolean') return true
  if (type === 'null') return null
  return 'word'
}

/** A unit vector, the same for the same text. */
export function vectorFor(text: string, length: number): number[] {
  const random = randomFrom(text)
  return normalised(Array.from({length}, () => random() * 2 - 1))
}

export function normalised(vector: readonly number[]): number[] {
  const norm = Math.hypot(...vector) || 1
  return vector.map((x) => x / norm)
}
