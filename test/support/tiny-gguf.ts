import {writeFileSync} from 'node:fs'

export interface TinyGgufOptions {
  readonly name?: string
  /** Jinja chat template; none: the model has none. */
  readonly chatTemplate?: string
  /** Makes it an embedding model: 1 = mean pooling. */
  readonly pooling?: number
  /** A doubled token, which makes llama.cpp abort its process while loading. */
  readonly broken?: boolean
  readonly contextLength?: number
}

const WIDTH = 64
const LAYERS = 2
const INNER = 128
const HEADS = 4

/**
 * Writes a llama model with random weights (about 0.5 MB): it loads and generates in a real engine,
 * and means nothing. The same options always make the same bytes.
 */
export function writeTinyGguf(path: string, options: TinyGgufOptions = {}): void {
  const {tokens, scores, types} = vocabulary(options.broken ?? false)
  const out = new Writer()
  const context = options.contextLength ?? 2048
  const metadata: Array<() => void> = [
    () => out.text('general.architecture', 'llama'),
    () => out.text('general.name', options.name ?? 'tiny'),
    () => out.u32('general.file_type', 0),
    () => out.u32('llama.context_length', context),
    () => out.u32('llama.embedding_length', WIDTH),
    () => out.u32('llama.block_count', LAYERS),
    () => out.u32('llama.feed_forward_length', INNER),
    () => out.u32('llama.attention.head_count', HEADS),
    () => out.f32('llama.attention.layer_norm_rms_epsilon', 1e-5),
    () => out.u32('llama.rope.dimension_count', WIDTH / HEADS),
    () => out.u32('llama.vocab_size', tokens.length),
    () => out.text('tokenizer.ggml.model', 'llama'),
    () => out.array('tokenizer.ggml.tokens', 8, tokens, (t) => out.string(t)),
    () => out.array('tokenizer.ggml.scores', 6, scores, (s) => out.float(s)),
    () => out.array('tokenizer.ggml.token_type', 5, types, (t) => out.int(t)),
    () => out.u32('tokenizer.ggml.bos_token_id', 1),
    () => out.u32('tokenizer.ggml.eos_token_id', 2),
    () => out.u32('tokenizer.ggml.unknown_token_id', 0),
  ]
  const {chatTemplate, pooling} = options
  if (chatTemplate !== undefined)
    metadata.push(() => out.text('tokenizer.chat_template', chatTemplate))
  if (pooling !== undefined) metadata.push(() => out.u32('llama.pooling_type', pooling))
  const tensors = tensorShapes(tokens.length)
  out.raw(Buffer.from('GGUF'))
  out.int(3)
  out.long(tensors.length)
  out.long(metadata.length)
  for (const write of metadata) write()
  let offset = 0
  for (const {name, shape} of tensors) {
    out.string(name)
    out.int(shape.length)
    for (const size of shape) out.long(size)
    out.int(0)
    out.long(offset)
    offset += shape.reduce((a, b) => a * b) * 4
  }
  out.pad(32)
  const random = noise(7)
  for (const {name, shape} of tensors) {
    const values = new Float32Array(shape.reduce((a, b) => a * b))
    for (let i = 0; i < values.length; i++) values[i] = name.includes('norm') ? 1 : random() * 0.6
    out.raw(Buffer.from(values.buffer))
  }
  writeFileSync(path, out.bytes())
}

function tensorShapes(vocab: number): Array<{name: string; shape: number[]}> {
  const block = (i: number) => [
    {name: `blk.${i}.attn_norm.weight`, shape: [WIDTH]},
    {name: `blk.${i}.attn_q.weight`, shape: [WIDTH, WIDTH]},
    {name: `blk.${i}.attn_k.weight`, shape: [WIDTH, WIDTH]},
    {name: `blk.${i}.attn_v.weight`, shape: [WIDTH, WIDTH]},
    {name: `blk.${i}.attn_output.weight`, shape: [WIDTH, WIDTH]},
    {name: `blk.${i}.ffn_norm.weight`, shape: [WIDTH]},
    {name: `blk.${i}.ffn_gate.weight`, shape: [WIDTH, INNER]},
    {name: `blk.${i}.ffn_up.weight`, shape: [WIDTH, INNER]},
    {name: `blk.${i}.ffn_down.weight`, shape: [INNER, WIDTH]},
  ]
  return [
    {name: 'token_embd.weight', shape: [WIDTH, vocab]},
    {name: 'output_norm.weight', shape: [WIDTH]},
    {name: 'output.weight', shape: [WIDTH, vocab]},
    ...Array.from({length: LAYERS}, (_, i) => block(i)).flat(),
  ]
}

/** Specials, the 256 bytes, and a few letters and words, each once (twice makes llama.cpp abort). */
function vocabulary(broken: boolean) {
  const pieces = ['▁', ...'abcdefghijklmnopqrstuvwxyz', '▁the', '▁a', '▁of', 'ing', 'er', '▁and']
  const tokens = ['<unk>', '<s>', '</s>']
  const types = [2, 3, 3]
  for (let byte = 0; byte < 256; byte++) {
    tokens.push(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
    types.push(6)
  }
  for (const piece of pieces) {
    tokens.push(piece)
    types.push(1)
  }
  if (broken) {
    tokens.push('a')
    types.push(1)
  }
  return {tokens, types, scores: tokens.map((_, i) => -i)}
}

/** Values in -0.5..0.5, always the same ones. */
function noise(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  }
}

class Writer {
  readonly #parts: Buffer[] = []
  #length = 0

  raw(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.#length += bytes.length
  }
  int(value: number): void {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    this.raw(bytes)
  }
  float(value: number): void {
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value)
    this.raw(bytes)
  }
  long(value: number): void {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    this.raw(bytes)
  }
  string(text: string): void {
    const bytes = Buffer.from(text)
    this.long(bytes.length)
    this.raw(bytes)
  }
  #key(key: string, type: number): void {
    this.string(key)
    this.int(type)
  }
  text(key: string, value: string): void {
    this.#key(key, 8)
    this.string(value)
  }
  u32(key: string, value: number): void {
    this.#key(key, 4)
    this.int(value)
  }
  f32(key: string, value: number): void {
    this.#key(key, 6)
    this.float(value)
  }
  array<T>(key: string, type: number, values: readonly T[], write: (value: T) => void): void {
    this.#key(key, 9)
    this.int(type)
    this.long(values.length)
    for (const value of values) write(value)
  }
  pad(to: number): void {
    this.raw(Buffer.alloc((to - (this.#length % to)) % to))
  }
  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}
