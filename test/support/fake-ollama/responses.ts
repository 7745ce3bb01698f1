import {
  type Accent,
  event,
  given,
  type Native,
  type Said,
  SSE,
  said,
  type ToolCall,
  textOf,
  type Voice,
} from './voice.ts'

const random = (): number => Math.floor(Math.random() * 999_999)
const seconds = (): number => Math.floor(Date.now() / 1000)
const part = (text: string) => ({type: 'output_text', text, annotations: [], logprobs: []})

/** POST /v1/responses */
export const responses: Accent = {
  kind: 'chat',
  native(body) {
    const input =
      typeof body.input === 'string' ? [{role: 'user', content: body.input}] : body.input
    const {temperature = 1, top_p, max_output_tokens: num_predict} = body
    const {format} = (body.text ?? {}) as {format?: Native}
    return {
      ...given({model: body.model, tools: body.tools, format: format?.schema}),
      messages: [
        ...(body.instructions ? [{role: 'system', content: body.instructions}] : []),
        ...((input ?? []) as readonly Native[]).map(({role, content, output}) => ({
          role: role ?? 'tool',
          content: textOf(content ?? output),
        })),
      ],
      stream: body.stream === true,
      options: given({temperature, top_p, num_predict}),
    }
  },
  voice(body): Voice {
    const id = `resp_${random()}`
    return {
      ...SSE,
      line: narrate(id, body),
      whole(native) {
        const now = said(native)
        const {text, thinking, calls} = now
        const output = [
          ...(thinking ? [reasoning(`rs_${id}`, thinking)] : []),
          ...(calls.length > 0
            ? calls.map((call, at) => functionCall(`fc_${id}_${at}`, call))
            : [message(`msg_${random()}`, text)]),
        ]
        const completed = {status: 'completed', completed_at: seconds(), usage: usageOf(now)}
        return {...responseOf(id, body), ...completed, output}
      },
    }
  },
}

const message = (id: string, text: string): Native => {
  return {id, type: 'message', status: 'completed', role: 'assistant', content: [part(text)]}
}
const reasoning = (id: string, text: string): Native => {
  const summary = [{type: 'summary_text', text}]
  return {id, type: 'reasoning', summary, encrypted_content: text}
}
const functionCall = (id: string, {id: call_id, function: {name, arguments: args}}: ToolCall) => {
  const given = {call_id, name, arguments: JSON.stringify(args)}
  return {id, type: 'function_call', status: 'completed', ...given}
}
const usageOf = ({promptTokens, answerTokens}: Said): Native => ({
  input_tokens: promptTokens,
  output_tokens: answerTokens,
  total_tokens: promptTokens + answerTokens,
  input_tokens_details: {cached_tokens: 0},
  output_tokens_details: {reasoning_tokens: 0},
})

function responseOf(id: string, body: Native): Native {
  return {
    id,
    object: 'response',
    created_at: seconds(),
    completed_at: null,
    status: 'in_progress',
    incomplete_details: null,
    model: body.model,
    previous_response_id: null,
    instructions: body.instructions ?? null,
    output: [],
    error: null,
    tools: body.tools ?? [],
    tool_choice: 'auto',
    truncation: 'disabled',
    parallel_tool_calls: true,
    text: {format: {type: 'text'}},
    top_p: body.top_p ?? 1,
    temperature: body.temperature ?? 1,
    reasoning: null,
    usage: null,
    max_output_tokens: body.max_output_tokens ?? null,
    store: false,
    background: false,
    service_tier: 'default',
    metadata: {},
  }
}

/** The events of a stream, numbered; each item of the output is added, filled and done. */
function narrate(id: string, body: Native): Voice['line'] {
  const itemId = `msg_${random()}`
  const output: Native[] = []
  let sequence = 0
  let begun = false
  let thought: {readonly id: string; text: string} | undefined
  let written: string | undefined
  const tell = (type: string, more: Native): string =>
    event(type, {...more, sequence_number: sequence++, type})
  const at = () => ({output_index: output.length})
  const added = (item: Native): string => tell('response.output_item.added', {...at(), item})
  const finish = (item: Native): string => {
    const line = tell('response.output_item.done', {...at(), item})
    output.push(item)
    return line
  }
  const endThought = (): string => {
    if (!thought) return ''
    const {id: item_id, text} = thought
    thought = undefined
    const done = {item_id, ...at(), summary_index: 0, text}
    return tell('response.reasoning_summary_text.done', done) + finish(reasoning(item_id, text))
  }
  const think = (delta: string): string => {
    if (!delta) return ''
    let out = ''
    if (!thought) {
      thought = {id: `rs_${random()}`, text: ''}
      out = added({id: thought.id, type: 'reasoning', summary: []})
    }
    thought.text += delta
    const more = {item_id: thought.id, ...at(), summary_index: 0, delta}
    return out + tell('response.reasoning_summary_text.delta', more)
  }
  const where = () => ({item_id: itemId, ...at(), content_index: 0})
  const write = (delta: string): string => {
    if (!delta) return ''
    let out = endThought()
    if (written === undefined) {
      written = ''
      out += added({...message(itemId, ''), status: 'in_progress', content: []})
      out += tell('response.content_part.added', {...where(), part: part('')})
    }
    written += delta
    return out + tell('response.output_text.delta', {...where(), delta, logprobs: []})
  }
  const call = (one: ToolCall): string => {
    const item = functionCall(`fc_${random()}_0`, one)
    const more = {item_id: item.id, ...at()}
    return [
      endThought(),
      added({...item, status: 'in_progress', arguments: ''}),
      tell('response.function_call_arguments.delta', {...more, delta: item.arguments}),
      tell('response.function_call_arguments.done', {...more, arguments: item.arguments}),
      finish(item),
    ].join('')
  }
  const endText = (): string => {
    if (written === undefined) return ''
    const text = written
    return [
      tell('response.output_text.done', {...where(), text, logprobs: []}),
      tell('response.content_part.done', {...where(), part: part(text)}),
      finish(message(itemId, text)),
    ].join('')
  }
  return (native) => {
    const now = said(native)
    let out = ''
    if (!begun) {
      begun = true
      const response = responseOf(id, body)
      out += tell('response.created', {response}) + tell('response.in_progress', {response})
    }
    out += think(now.thinking) + now.calls.map(call).join('') + write(now.text)
    if (!now.done) return out
    out += endThought() + endText()
    const completed = {status: 'completed', completed_at: seconds(), output, usage: usageOf(now)}
    // As Go writes a map: by name, so that the counts stand near the end.
    const response = sorted({...responseOf(id, body), ...completed})
    return out + tell('response.completed', {response})
  }
}

const sorted = (object: Native): Native =>
  Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))
