import {expect, test} from 'vitest'
import {GatheredEvents} from '../../../src/lib/batch/gathered-events.ts'

const gather = (events: readonly Record<string, unknown>[]) => {
  const gathered = new GatheredEvents()
  for (const event of events) gathered.push(event)
  return gathered
}
const chunk = (choice: Record<string, unknown>) => ({
  ...{id: 'c', object: 'chat.completion.chunk', model: 'm'},
  choices: [{index: 0, ...choice}],
})

test('pieces of a chat become the answer that would have come whole, with its counts', () => {
  const usage = {prompt_tokens: 3, completion_tokens: 2}
  const events = [
    chunk({delta: {role: 'assistant', content: 'a', reasoning: 'x'}, finish_reason: null}),
    chunk({delta: {role: 'assistant', content: 'b', reasoning: 'y'}, finish_reason: null}),
    chunk({delta: {content: ''}, finish_reason: 'stop'}),
    {id: 'c', object: 'chat.completion.chunk', model: 'm', choices: [], usage},
  ]
  expect(gather(events).whole()).toEqual({
    ...{id: 'c', object: 'chat.completion', model: 'm', usage},
    choices: [
      {
        index: 0,
        message: {role: 'assistant', content: 'ab', reasoning: 'xy'},
        finish_reason: 'stop',
      },
    ],
  })
})

test('calls of tools are put together by their index', () => {
  const call = (index: number, of: Record<string, unknown>) =>
    chunk({delta: {tool_calls: [{index, ...of}]}})
  const events = [
    call(0, {id: 'a', type: 'function', function: {name: 'f', arguments: '{"x"'}}),
    call(1, {id: 'b', type: 'function', function: {name: 'g', arguments: '{}'}}),
    call(0, {function: {arguments: ':1}'}}),
  ]
  expect(gather(events).whole().choices).toEqual([
    {
      index: 0,
      message: {
        tool_calls: [
          {index: 0, id: 'a', type: 'function', function: {name: 'f', arguments: '{"x":1}'}},
          {index: 1, id: 'b', type: 'function', function: {name: 'g', arguments: '{}'}},
        ],
      },
    },
  ])
})

test('pieces of a text are put together, and their probabilities are listed', () => {
  const piece = (text: string) => ({
    object: 'text_completion',
    choices: [{index: 0, text, logprobs: {tokens: [text]}}],
  })
  expect(gather([piece('a'), piece('b')]).whole()).toEqual({
    object: 'text_completion',
    choices: [{index: 0, text: 'ab', logprobs: {tokens: ['a', 'b']}}],
  })
})

test('a response tells its whole itself', () => {
  const gathered = gather([
    {type: 'response.created', response: {id: 'r', status: 'in_progress'}},
    {type: 'response.output_text.delta', delta: 'a'},
  ])
  expect(gathered.ended).toBe(false)
  gathered.push({type: 'response.completed', response: {id: 'r', status: 'completed'}})
  expect(gathered.ended).toBe(true)
  expect(gathered.whole()).toEqual({id: 'r', status: 'completed'})
})
