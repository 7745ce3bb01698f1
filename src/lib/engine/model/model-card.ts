import type {GgufHeader, GgufValue} from './gguf.ts'

/** The model that an engine serves, as it was chosen; kept as JSON beside the engine. */
export interface EngineModel {
  /** Full name with tag. */
  readonly name: string
  /** The GGUF file, which may lie outside our directories. */
  readonly path: string
  readonly sha256: string
  readonly sizeBytes: number
  /** Where it came from, for people. */
  readonly source: string
}

/** What a GGUF header tells, in the words of Ollama's API. */
export interface ModelCard {
  readonly family: string
  readonly parameterSize: string
  readonly quantization: string
  readonly contextLength: number
  readonly embeddingLength: number
  readonly embedding: boolean
  readonly capabilities: readonly string[]
  readonly template: string
  readonly license: string | undefined
  readonly info: Readonly<Record<string, GgufValue | null>>
}

const QUANTIZATION: Readonly<Record<number, string>> = {
  0: 'F32',
  1: 'F16',
  2: 'Q4_0',
  3: 'Q4_1',
  7: 'Q8_0',
  8: 'Q5_0',
  9: 'Q5_1',
  10: 'Q2_K',
  11: 'Q3_K_S',
  12: 'Q3_K_M',
  13: 'Q3_K_L',
  14: 'Q4_K_S',
  15: 'Q4_K_M',
  16: 'Q5_K_S',
  17: 'Q5_K_M',
  18: 'Q6_K',
  32: 'BF16',
}

export function modelCard(header: GgufHeader): ModelCard {
  const {metadata, parameters} = header
  const text = (key: string) => {
    const value = metadata.get(key)
    return typeof value === 'string' ? value : undefined
  }
  const number = (key: string) => {
    const value = metadata.get(key)
    return typeof value === 'number' ? value : undefined
  }
  const family = text('general.architecture') ?? 'unknown'
  // Ollama's own sign of an embedding model: its file says how to pool.
  const embedding = metadata.has(`${family}.pooling_type`)
  const type = number('general.file_type')
  return {
    family,
    parameterSize: shortCount(parameters),
    quantization: (type === undefined ? undefined : QUANTIZATION[type]) ?? 'unknown',
    contextLength: number(`${family}.context_length`) ?? 2048,
    embeddingLength: number(`${family}.embedding_length`) ?? 0,
    embedding,
    capabilities: [embedding ? 'embedding' : 'completion'],
    template: text('tokenizer.chat_template') ?? '',
    license: text('general.license'),
    info: {
      ...Object.fromEntries(
        [...metadata]
          .filter(([key]) => key !== 'tokenizer.chat_template')
          .map(([key, value]) => [key, typeof value === 'object' ? null : value]),
      ),
      'general.parameter_count': parameters,
    },
  }
}

/** `134.52M`, as Ollama writes numbers of parameters. */
function shortCount(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)}B`
  if (count >= 1e6) return `${(count / 1e6).toFixed(2)}M`
  return `${(count / 1e3).toFixed(2)}K`
}
