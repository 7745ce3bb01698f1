import type {Fields} from './walk.ts'

/** Bytes of a request in one block of its prefix. */
const BLOCK_BYTES = 512
/** A token of English text is about four characters. */
export const BYTES_PER_TOKEN = 4
/** Estimated tokens in one block. */
export const BLOCK_TOKENS = BLOCK_BYTES / BYTES_PER_TOKEN
/** So that a prompt of megabytes costs no more than one of 128 KiB. */
const MOST_BLOCKS = 256

/** The fields that a model reads, in whatever order a client writes them. */
const PROMPT_FIELDS = ['system', 'tools', 'messages', 'prompt', 'input', 'instructions']

/**
 * Hashes the beginnings of prompts. It looks at the bytes of the body, not at the parsed prompt: a client
 * writes the next turn of a conversation the same way as the one before, and bytes cost nothing to read.
 * A wrong guess makes one estimate too short, nothing more; so 32 bits are enough.
 */
export class PrefixHasher {
  /** Aligned, so that four bytes are read at a time. */
  #scratch = new Int32Array((MOST_BLOCKS * BLOCK_BYTES) / 4)

  /** As `DispatchRequest.prefix`: element i stands for the first i + 1 blocks. */
  hash(body: Buffer, fields: Fields): number[] {
    const start = promptStart(fields)
    const blocks = Math.min(MOST_BLOCKS, Math.floor((body.length - start) / BLOCK_BYTES))
    if (start < 0 || blocks < 1) return []
    const bytes = Buffer.from(this.#scratch.buffer)
    body.copy(bytes, 0, start, start + blocks * BLOCK_BYTES)
    const words = this.#scratch
    const hashes = new Array<number>(blocks)
    let hash = 0x811c9dc5
    for (let block = 0, at = 0; block < blocks; block++) {
      // Four at a time, since a processor multiplies the next one before it is done with the first; and one
      // multiplication for two words, for those are what it costs.
      let [a, b, c, d] = [hash, hash + 1, hash + 2, hash + 3]
      for (const end = at + BLOCK_BYTES / 4; at < end; at += 8) {
        a = mixed(a, words[at] ?? 0, words[at + 4] ?? 0)
        b = mixed(b, words[at + 1] ?? 0, words[at + 5] ?? 0)
        c = mixed(c, words[at + 2] ?? 0, words[at + 6] ?? 0)
        d = mixed(d, words[at + 3] ?? 0, words[at + 7] ?? 0)
      }
      hash = mixed(mixed(a, b, c), d, 0)
      hashes[block] = hash
    }
    return hashes
  }
}

/** FNV-1a by words, with a shift: the low bits of a word must reach all of the hash. */
function mixed(hash: number, word: number, another: number): number {
  const product = (Math.imul(hash ^ word, 0x01000193) + another) | 0
  return product ^ (product >>> 15)
}

function promptStart({places}: Fields): number {
  let start = -1
  for (const field of PROMPT_FIELDS) {
    const at = places.get(field)?.start ?? -1
    if (at >= 0 && (start < 0 || at < start)) start = at
  }
  return start
}
