import fc from 'fast-check'
import {expect, test} from 'vitest'
import {DoneLines} from '../../../src/lib/batch/done-lines.ts'
import {Gathered} from '../../../src/lib/batch/gathered.ts'
import {InOrder} from '../../../src/lib/batch/in-order.ts'
import {outputLine, readOutputLine, tokensOf} from '../../../src/lib/batch/output-line.ts'

const fingerprint = fc
  .array(fc.constantFrom(...'0123456789abcdef'), {minLength: 16, maxLength: 16})
  .map((digits) => digits.join(''))

test('done lines are known again with what was asked, whatever their number and order', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(fc.integer({min: 1, max: 5000}), fingerprint, fc.boolean()), {
        selector: ([line]) => line,
      }),
      (lines) => {
        const done = new DoneLines()
        for (const [line, of, failed] of lines)
          expect(done.add(line, of, failed ? 'failed' : 'answered')).toBe(true)
        for (const [line, of] of lines) {
          expect(done.has(line)).toBe(true)
          expect(done.fits(line, of)).toBe(true)
          expect(done.add(line, of, 'answered')).toBe(false)
        }
        expect(done.answered + done.failed).toBe(lines.length)
        expect(done.has(6000)).toBe(false)
      },
    ),
  )
})

test('another text does not fit', () => {
  const done = new DoneLines()
  done.add(1, '0123456789abcdef', 'failed')
  expect(done.fits(1, '1123456789abcdef')).toBe(false)
  expect(done.fits(2, '0123456789abcdef')).toBe(false)
})

test('whatever order lines come in, they are passed on in theirs and nothing is held back in the end', () => {
  fc.assert(
    fc.property(
      fc.integer({min: 0, max: 40}).chain((count) =>
        fc.shuffledSubarray(
          Array.from({length: count}, (_, at) => at),
          {minLength: count},
        ),
      ),
      (order) => {
        const inOrder = new InOrder()
        const passed = order.flatMap((at) => inOrder.push(at, `${at};`))
        expect(passed).toEqual(order.map((_, at) => `${at};`))
        expect(inOrder.characters).toBe(0)
      },
    ),
  )
})

const FACTS = {line: 7, customId: 'a', fingerprint: '0123456789abcdef', node: 'n1', ms: 12.4}
const FAILED = {kind: 'failed', error: {code: 'http_400', message: 'no'}} as const

test("an answer's line is Ollama's own answer behind what is ours", () => {
  const answer = {model: 'm', response: 'yes', done: true}
  const text = outputLine({...FACTS, openai: false}, {kind: 'answered', answer, status: 200})
  expect(JSON.parse(text)).toEqual({
    ...{line: 7, custom_id: 'a', input: FACTS.fingerprint, node: 'n1', ms: 12},
    ...answer,
  })
})

test("a line of OpenAI's form is answered in the shape of OpenAI's outputs", () => {
  const of = {...FACTS, openai: true, requestId: 'r'}
  const answered = outputLine(of, {kind: 'answered', answer: {id: 'x'}, status: 200})
  expect(JSON.parse(answered)).toMatchObject({
    custom_id: 'a',
    response: {status_code: 200, request_id: 'r', body: {id: 'x'}},
    error: null,
  })
  expect(JSON.parse(outputLine(of, FAILED))).toMatchObject({
    response: null,
    error: {code: 'http_400', message: 'no'},
  })
})

test.each([true, false])('what was written is read again (openai: %s)', (openai) => {
  const {line, fingerprint: input} = FACTS
  const answered = outputLine({...FACTS, openai}, {kind: 'answered', answer: {}, status: 200})
  expect(readOutputLine(answered)).toEqual({line, fingerprint: input, done: 'answered'})
  const failed = outputLine({...FACTS, openai}, FAILED)
  expect(readOutputLine(failed)).toEqual({line, fingerprint: input, done: 'failed'})
})

test.each([
  '',
  'x',
  '{}',
  '{"line":1}',
  '{"line":0,"input":"0123456789abcdef"}',
  '{"line":1,"input":"x"}',
])('%j is no line of an output', (text) => expect(readOutputLine(text)).toBeUndefined())

test('pieces of an answer are put together as it would have come whole', () => {
  const gathered = new Gathered()
  const pieces = [
    {message: {role: 'assistant', content: 'a', thinking: 'x'}, logprobs: [1]},
    {message: {role: 'assistant', content: 'b', thinking: 'y'}, logprobs: [2]},
    {message: {role: 'assistant', content: '', tool_calls: [{id: 1}]}},
  ]
  for (const piece of pieces) expect(gathered.push({...piece, done: false})).toBe(false)
  expect(
    gathered.push({message: {role: 'assistant', content: ''}, done: true, eval_count: 2}),
  ).toBe(true)
  expect(gathered.whole()).toEqual({
    message: {role: 'assistant', content: 'ab', thinking: 'xy', tool_calls: [{id: 1}]},
    logprobs: [1, 2],
    done: true,
    eval_count: 2,
  })
})

test('a generated text comes without its context', () => {
  const gathered = new Gathered()
  gathered.push({response: 'a', thinking: 't'})
  gathered.push({response: 'b', done: true, context: [1, 2, 3]})
  expect(gathered.whole()).toEqual({response: 'ab', thinking: 't', done: true})
})

test.each([
  [
    {prompt_eval_count: 3, eval_count: 4},
    {prompt: 3, answer: 4},
  ],
  [{usage: {prompt_tokens: 3, completion_tokens: 4}}, {prompt: 3, answer: 4}],
  [{usage: {input_tokens: 3, output_tokens: 4}}, {prompt: 3, answer: 4}],
  [{}, {prompt: 0, answer: 0}],
])('tokens of %j are counted', (answer, counts) => expect(tokensOf(answer)).toEqual(counts))
