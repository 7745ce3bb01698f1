import {ApiError} from './http.ts'
import {
  type Accent,
  event,
  given,
  hex,
  type Native,
  SSE,
  said,
  textOf,
  type Voice,
} from './voice.ts'
import {countTokens} from './words.ts'

const REASONS: Readonly<Record<string, string>> = {stop: 'end_turn', length: 'max_tokens'}

function reasonOf(reason: string, called: boolean): Native {
  if (called) return {stop_reason: 'tool_use'}
  return reason ? {stop_reason: REASONS[reason] ?? 'stop_sequence'} : {}
}

/** POST /v1/messages */
export const messages: Accent = {
  kind: 'chat',
  native(body) {
    const asked = (body.messages ?? []) as readonly Native[]
    if (!body.model) throw new ApiError(400, 'model is required')
    if (!(Number(body.max_tokens) > 0))
      throw new ApiError(400, 'max_tokens is required and must be positive')
    if (asked.length === 0) throw new ApiError(400, 'messages is required')
    const system = textOf(body.system)
    const {temperature, top_p, top_k, stop_sequences: stop, max_tokens: num_predict} = body
    return {
      ...given({model: body.model, tools: body.tools}),
      messages: [
        ...(system ? [{role: 'system', content: system}] : []),
        ...asked.map(({role, content}) => ({role, content: textOf(content)})),
      ],
      stream: body.stream === true,
      options: given({temperature, top_p, top_k, stop, num_predict}),
    }
  },
  voice(body): Voice {
    const id = `msg_${hex(12)}`
    const base = {id, type: 'message', role: 'assistant', model: body.model}
    return {
      ...SSE,
      line: narrate(base, countTokens(JSON.stringify(body.messages))),
      whole(native) {
        const {text, thinking, calls, reason, promptTokens, answerTokens} = said(native)
        const content = [
          ...(thinking ? [{type: 'thinking', thinking}] : []),
          ...(text ? [{type: 'text', text}] : []),
          ...calls.map(({id: call, function: {name, arguments: input}}) => {
            return {type: 'tool_use', id: call, name, input}
          }),
        ]
        const usage = {input_tokens: promptTokens, output_tokens: answerTokens}
        return {...base, content, ...reasonOf(reason, calls.length > 0), usage}
      },
    }
  },
}

/** The events of a stream: blocks are opened and closed as thoughts, text and calls follow each other. */
function narrate(base: Native, guessedTokens: number): Voice['line'] {
  let begun = false
  let called = false
  let open: 'thinking' | 'text' | undefined
  let index = 0
  const block = (type: string, more: Native): string => event(type, {type, index, ...more})
  const close = (): string => {
    if (!open) return ''
    open = undefined
    const stop = block('content_block_stop', {})
    index++
    return stop
  }
  const piece = (kind: 'thinking' | 'text', text: string): string => {
    if (!text) return ''
    const start =
      open === kind
        ? ''
        : close() + block('content_block_start', {content_block: {type: kind, [kind]: ''}})
    open = kind
    return start + block('content_block_delta', {delta: {type: `${kind}_delta`, [kind]: text}})
  }
  return (native) => {
    const {text, thinking, calls, done, reason, promptTokens, answerTokens} = said(native)
    let out = ''
    if (!begun) {
      begun = true
      const usage = {input_tokens: promptTokens || guessedTokens, output_tokens: 0}
      const message = {...base, content: [], usage}
      out += event('message_start', {type: 'message_start', message})
    }
    out += piece('thinking', thinking) + piece('text', text)
    for (const {id, function: call} of calls) {
      out += close()
      const content_block = {type: 'tool_use', id, name: call.name, input: {}}
      const delta = {type: 'input_json_delta', partial_json: JSON.stringify(call.arguments)}
      out += block('content_block_start', {content_block}) + block('content_block_delta', {delta})
      out += block('content_block_stop', {})
      index++
      called = true
    }
    if (!done) return out
    const usage = {input_tokens: promptTokens, output_tokens: answerTokens}
    const delta = reasonOf(reason, called)
    out += close() + event('message_delta', {type: 'message_delta', delta, usage})
    return out + event('message_stop', {type: 'message_stop'})
  }
}
