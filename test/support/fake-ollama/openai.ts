import {ApiError} from './http.ts'
import {
  type Accent,
  data,
  given,
  type Native,
  SSE,
  said,
  type ToolCall,
  textOf,
  type Voice,
} from './voice.ts'

const FINGERPRINT = 'fp_ollama'
const seconds = (): number => Math.floor(Date.now() / 1000)
/** Short, and not unique across nodes: as the real one makes them. */
const shortId = (kind: string): string => `${kind}-${Math.floor(Math.random() * 999)}`
const wantsUsage = (body: Native): boolean =>
  (body.stream_options as Native | undefined)?.include_usage === true

function usageOf({promptTokens, answerTokens}: ReturnType<typeof said>) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: answerTokens,
    total_tokens: promptTokens + answerTokens,
  }
}

const callOf = ({id, function: {index, name, arguments: args}}: ToolCall) => ({
  id,
  index,
  type: 'function',
  function: {name, arguments: JSON.stringify(args)},
})

function optionsOf(body: Native): Native {
  const stop = typeof body.stop === 'string' ? [body.stop] : body.stop
  const {seed, max_tokens, temperature = 1, top_p = 1} = body
  return given({stop, seed, num_predict: max_tokens, temperature, top_p})
}

function formatOf(format: unknown): unknown {
  const {type, json_schema} = (format ?? {}) as {type?: unknown; json_schema?: Native}
  if (type === 'json_object') return 'json'
  return type === 'json_schema' ? json_schema?.schema : undefined
}

/** POST /v1/chat/completions */
export const chatCompletions: Accent = {
  kind: 'chat',
  native(body) {
    const messages = (body.messages ?? []) as readonly Native[]
    if (messages.length === 0) throw new ApiError(400, "[] is too short - 'messages'")
    return {
      ...given({model: body.model, tools: body.tools, format: formatOf(body.response_format)}),
      messages: messages.map(({role, content}) => ({role, content: textOf(content)})),
      stream: body.stream === true,
      options: optionsOf(body),
    }
  },
  voice(body) {
    const id = shortId('chatcmpl')
    const created = seconds()
    let begun = false
    let called = false
    const chunk = (model: string, choices: readonly Native[]): Native => {
      const object = 'chat.completion.chunk'
      return {id, object, created, model, system_fingerprint: FINGERPRINT, choices}
    }
    return {
      ...SSE,
      line(native) {
        const now = said(native)
        const {model, text, thinking, calls, done} = now
        const lines: string[] = []
        if (!done || !begun || text || thinking || calls.length > 0) {
          const delta = {
            ...(begun ? {} : {role: 'assistant'}),
            content: text,
            ...(thinking ? {reasoning: thinking} : {}),
            ...(calls.length > 0 ? {tool_calls: calls.map(callOf)} : {}),
          }
          begun = true
          called ||= calls.length > 0
          lines.push(data(chunk(model, [{index: 0, delta, finish_reason: null}])))
        }
        if (!done) return lines.join('')
        const reason = now.reason || 'stop'
        const finish_reason = reason === 'stop' && called ? 'tool_calls' : reason
        lines.push(data(chunk(model, [{index: 0, delta: {}, finish_reason}])))
        if (wantsUsage(body)) lines.push(data({...chunk(model, []), usage: usageOf(now)}))
        return `${lines.join('')}data: [DONE]\n\n`
      },
      whole(native) {
        const now = said(native)
        const {model, text, thinking, calls, reason} = now
        const message = {
          role: 'assistant',
          content: text,
          ...(thinking ? {reasoning: thinking} : {}),
          ...(calls.length > 0 ? {tool_calls: calls.map(callOf)} : {}),
        }
        const finish_reason = reason === 'stop' && calls.length > 0 ? 'tool_calls' : reason || null
        return {
          ...chunk(model, [{index: 0, message, finish_reason}]),
          object: 'chat.completion',
          usage: usageOf(now),
        }
      },
    }
  },
}

/** POST /v1/completions */
export const completions: Accent = {
  kind: 'generate',
  native: (body) => ({
    ...given({model: body.model, prompt: body.prompt, suffix: body.suffix}),
    stream: body.stream === true,
    options: optionsOf(body),
  }),
  voice(body): Voice {
    const id = shortId('cmpl')
    const answer = ({model, text, reason}: ReturnType<typeof said>) => ({
      id,
      object: 'text_completion',
      created: seconds(),
      model,
      system_fingerprint: FINGERPRINT,
      choices: [{text, index: 0, finish_reason: reason || null}],
    })
    return {
      ...SSE,
      line(native) {
        const now = said(native)
        const none = {prompt_tokens: 0, completion_tokens: 0, total_tokens: 0}
        const piece = {...answer(now), ...(wantsUsage(body) ? {usage: none} : {})}
        if (!now.done) return data(piece)
        const last = {...piece, choices: [], usage: usageOf(now)}
        return `${data(piece)}${wantsUsage(body) ? data(last) : ''}data: [DONE]\n\n`
      },
      whole: (native) => ({...answer(said(native)), usage: usageOf(said(native))}),
    }
  },
}

/** The answer of POST /v1/embeddings. */
export function embeddingList(
  body: Native,
  vectors: readonly (readonly number[])[],
  promptTokens: number,
): unknown {
  const base64 = String(body.encoding_format ?? '').toLowerCase() === 'base64'
  return {
    object: 'list',
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      embedding: base64 ? Buffer.from(Float32Array.from(vector).buffer).toString('base64') : vector,
      index,
    })),
    model: body.model,
    usage: {prompt_tokens: promptTokens, total_tokens: promptTokens},
  }
}

/** An entry of GET /v1/models. */
export const modelEntry = (id: string, modifiedAt: string) => ({
  id,
  object: 'model',
  created: Math.floor(Date.parse(modifiedAt) / 1000),
  owned_by: id.split('/').at(-2) ?? 'library',
})
