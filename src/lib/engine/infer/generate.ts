import type {EvaluateOptions, GrammarState, LlamaModel, Sequence, Token} from './llama-library.ts'
import type {Sampling, Stats} from './messages.ts'
import {stopText} from './stop-text.ts'

export interface GenerateInput {
  readonly model: LlamaModel
  readonly sequence: Sequence
  readonly prompt: readonly Token[]
  readonly sampling: Sampling
  /** Constrains the text to a grammar whose whole text is one JSON value. */
  readonly grammar?: GrammarState | undefined
  readonly cancelled: () => boolean
  readonly onText: (text: string) => Promise<void>
}

/** Tokens of the prompt between two looks at `cancelled`; the library's own batch size. */
const BATCH = 512

/** Generates until the model ends, a stop string, the JSON value's end, a limit, or a cancel. */
export async function generate(input: GenerateInput): Promise<Stats> {
  const {sequence, sampling} = input
  const started = performance.now()
  const prompt = fitPrompt(input.prompt, sequence.contextSize)
  const rest = await evaluatePrompt(input, prompt)
  const room = Math.max(1, sequence.contextSize - prompt.length - 1)
  const limit = sampling.numPredict < 0 ? room : Math.min(sampling.numPredict, room)
  const made: Token[] = []
  const text = output(input)
  let reason: Stats['reason'] = 'stop'
  let promptMs = 0
  if (rest && limit > 0)
    for await (const token of sequence.evaluate(rest, samplingOf(input, made))) {
      promptMs ||= performance.now() - started
      made.push(token)
      await text.push(token)
      if (text.ended() || input.cancelled()) break
      if (made.length >= limit) {
        reason = 'length'
        break
      }
    }
  else reason = 'length'
  await text.end()
  const ended = performance.now() - started
  promptMs ||= ended
  return {
    reason,
    promptTokens: prompt.length,
    promptMs,
    tokens: made.length,
    tokensMs: ended - promptMs,
    context: [...prompt, ...made],
  }
}

/** A prompt longer than the context loses its beginning, as with Ollama; some room is left to answer. */
function fitPrompt(prompt: readonly Token[], contextSize: number): Token[] {
  const most = Math.max(1, contextSize - Math.min(256, Math.ceil(contextSize / 4)))
  return prompt.length <= contextSize - 2 ? [...prompt] : prompt.slice(-most)
}

/**
 * Brings the sequence to all but the end of the prompt, reusing what it has in common with the last
 * one; with a seed nothing is reused, because other batches round differently. Returns the tokens
 * that are left to evaluate, or undefined after a cancel.
 */
async function evaluatePrompt(input: GenerateInput, prompt: Token[]): Promise<Token[] | undefined> {
  const {sequence} = input
  if (input.sampling.seed === undefined)
    await sequence.adaptStateToTokens(prompt.slice(0, -1), false)
  else await sequence.clearHistory()
  let rest = prompt.slice(sequence.nextTokenIndex)
  while (rest.length > BATCH) {
    if (input.cancelled()) return undefined
    await sequence.evaluateWithoutGeneratingNewTokens(rest.slice(0, BATCH))
    rest = rest.slice(BATCH)
  }
  return input.cancelled() ? undefined : rest
}

function samplingOf(
  {sampling, grammar, sequence}: GenerateInput,
  made: readonly Token[],
): EvaluateOptions {
  const {repeatPenalty, frequencyPenalty, presencePenalty} = sampling
  const lastN = sampling.repeatLastN < 0 ? sequence.contextSize : sampling.repeatLastN
  const punish =
    lastN > 0 && (repeatPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0)
  return {
    temperature: sampling.temperature,
    topK: sampling.topK,
    topP: sampling.topP,
    minP: sampling.minP,
    ...(sampling.seed === undefined ? {} : {seed: sampling.seed >>> 0}),
    ...(grammar ? {grammarEvaluationState: grammar} : {}),
    ...(punish
      ? {
          repeatPenalty: {
            punishTokens: () => made.slice(-lastN),
            penalty: repeatPenalty,
            frequencyPenalty,
            presencePenalty,
            maxPunishTokens: lastN,
          },
        }
      : {}),
  }
}

/** Turns tokens into text as they come: whole characters only, up to a stop string or the value's end. */
function output(input: GenerateInput) {
  const stop = stopText(input.sampling.stop)
  const shown: Token[] = []
  let pending: Token[] = []
  let json = ''
  let complete = false
  const show = async (text: string) => {
    if (text !== '') await input.onText(text)
  }
  const take = async () => {
    const text = input.model.detokenize(pending, false, shown.slice(-8))
    shown.push(...pending)
    pending = []
    await show(stop.push(text))
    if (input.grammar) {
      json += text
      complete = isWholeJson(json)
    }
  }
  return {
    ended: () => stop.stopped || complete,
    async push(token: Token) {
      pending.push(token)
      const text = input.model.detokenize(pending, false, shown.slice(-8))
      // A character of several tokens (at most 4 bytes) shows as U+FFFD until it is whole.
      if (!text.endsWith('\uFFFD') || pending.length >= 4) await take()
    },
    async end() {
      if (pending.length > 0) await take()
      await show(stop.rest())
    },
  }
}

/** Grammars allow blanks without end after the value, so its end is looked for here. */
function isWholeJson(text: string): boolean {
  if (!/[}\]"el]\s*$|\s$/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
