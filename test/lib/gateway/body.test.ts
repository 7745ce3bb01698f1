import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {readFacts} from '../../../src/lib/gateway/body/facts.ts'
import {withNumCtx} from '../../../src/lib/gateway/body/num-ctx.ts'
import {BadBody} from '../../../src/lib/gateway/body/parse.ts'
import {PrefixHasher} from '../../../src/lib/gateway/body/prefix.ts'
import {scanBody} from '../../../src/lib/gateway/body/scan.ts'

const chat = {call: 'chat', streams: true, exact: false} as const
const facts = (text: string, options: Parameters<typeof readFacts>[1] = chat) =>
  readFacts(Buffer.from(text), options)
/** Large enough not to be parsed. */
const LONG = 'x'.repeat(20_000)

describe('facts of a body', () => {
  test.each([
    ['{"model":"a","stream":false}', {model: 'a', stream: false}],
    ['{"model":"a"}', {model: 'a', stream: true}],
    ['{"MODEL":"a","Stream":false}', {model: 'a', stream: false}],
    ['{"model":"a","options":{"num_ctx":512,"num_predict":9}}', {numCtx: 512, maxAnswerTokens: 9}],
    ['{"model":"a","max_tokens":7}', {maxAnswerTokens: 7}],
    ['{"model":"a","messages":[]}', {empty: true, unload: false}],
    ['{"model":"a","messages":[],"keep_alive":0}', {empty: true, unload: true}],
    ['{"model":"a","messages":[],"keep_alive":"0s"}', {unload: true}],
    ['{"model":"a","messages":[],"keep_alive":"10s"}', {unload: false}],
    ['{"model":7}', {model: ''}],
  ])('%s', (text, expected) => {
    expect(facts(text)).toMatchObject(expected)
  })

  test.each(['', '[]', '7', '{', 'null', '{"model":"a",}'])(
    '%s is no body of a request',
    (text) => {
      expect(() => facts(text)).toThrow(BadBody)
    },
  )

  test('two spellings of one field are refused: the node might read the other one', () => {
    expect(() => facts('{"model":"a","MODEL":"b"}')).toThrow(BadBody)
    const large = `{"model":"a","prompt":"${LONG}","MODEL":"b"}`
    expect(() => facts(large, {...chat, exact: true})).toThrow(BadBody)
  })

  test('a large body is read like a small one', () => {
    const messages = [{role: 'user', content: LONG}]
    const body = {
      model: 'llama3.2:1b',
      messages,
      stream: false,
      options: {num_ctx: 99, num_predict: 5},
    }
    const found = {
      model: 'llama3.2:1b',
      stream: false,
      numCtx: 99,
      maxAnswerTokens: 5,
      empty: false,
    }
    expect(facts(JSON.stringify(body))).toMatchObject(found)
    expect(facts(JSON.stringify(body, null, 2))).toMatchObject(found)
  })

  test('what a scan finds is what parsing finds, whatever texts stand around it', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('"model":"b"', '\\"model\\":', '"model"', 'model'),
    )
    const value = fc.record(
      {
        model: fc.string({minLength: 1}),
        stream: fc.boolean(),
        prompt: text,
        messages: fc.array(fc.record({role: text, content: text})),
        tools: fc.array(fc.dictionary(text, text)),
        options: fc.record({num_ctx: fc.integer(), num_predict: fc.integer()}, {requiredKeys: []}),
      },
      {requiredKeys: ['model']},
    )
    fc.assert(
      fc.property(value, fc.constantFrom(0, 2), (object, indent) => {
        const body = Buffer.from(JSON.stringify(object, null, indent))
        const scanned = scanBody(body)
        if (!scanned) return
        expect(scanned.model).toBe(object.model)
        expect(scanned.stream).toBe(object.stream)
        expect(scanned.numCtx).toBe(object.options?.num_ctx)
      }),
    )
  })

  test('an inner "model" makes a scan give up', () => {
    const tools = [{function: {parameters: {properties: {model: {type: 'string'}}}}}]
    expect(scanBody(Buffer.from(JSON.stringify({model: 'a', tools})))).toBeUndefined()
    expect(facts(JSON.stringify({model: 'a', tools, prompt: LONG})).model).toBe('a')
  })
})

describe('num_ctx', () => {
  test('stands in the body afterwards, all else unchanged', () => {
    const options = fc.record({num_ctx: fc.integer(), seed: fc.integer()}, {requiredKeys: []})
    const any = fc.record(
      {model: fc.string(), prompt: fc.string(), options: options},
      {requiredKeys: ['model']},
    )
    fc.assert(
      fc.property(any, fc.integer({min: 1, max: 1e6}), (object, numCtx) => {
        const changed = JSON.parse(`${withNumCtx(Buffer.from(JSON.stringify(object)), numCtx)}`)
        expect(changed).toEqual({...object, options: {...object.options, num_ctx: numCtx}})
      }),
    )
  })

  test.each(['', 'no json', '{"options":', '[]'])('%s comes back unharmed', (text) => {
    expect(() => withNumCtx(Buffer.from(text), 5)).not.toThrow()
  })

  test('an object without fields stays valid', () => {
    expect(JSON.parse(`${withNumCtx(Buffer.from(' { } '), 5)}`)).toEqual({options: {num_ctx: 5}})
  })
})

describe('prefix hashes', () => {
  const turn = (...texts: string[]) =>
    Buffer.from(
      JSON.stringify({model: 'a', messages: texts.map((content) => ({role: 'user', content}))}),
    )

  test('the next turn of a conversation begins with the hashes of the one before', () => {
    const hasher = new PrefixHasher()
    const first = hasher.hash(turn('a'.repeat(3000)))
    const second = hasher.hash(turn('a'.repeat(3000), 'b'.repeat(3000)))
    expect(first.length).toBeGreaterThan(3)
    expect(second.slice(0, first.length)).toEqual(first)
    expect(second.length).toBeGreaterThan(first.length)
  })

  test('another beginning has other hashes, all the way', () => {
    const hasher = new PrefixHasher()
    const a = hasher.hash(turn(`1${'a'.repeat(5000)}`))
    const b = hasher.hash(turn(`2${'a'.repeat(5000)}`))
    expect(a.some((hash, at) => hash === b[at])).toBe(false)
  })

  test('the model and the options before the prompt do not count', () => {
    const hasher = new PrefixHasher()
    const body = (model: string) => Buffer.from(JSON.stringify({model, prompt: 'p'.repeat(2000)}))
    expect(hasher.hash(body('a'))).toEqual(hasher.hash(body('much-longer-name')))
  })

  test('short prompts and foreign bodies have none; long ones are bounded', () => {
    const hasher = new PrefixHasher()
    expect(hasher.hash(turn('hi'))).toEqual([])
    expect(hasher.hash(Buffer.from('x'.repeat(9999)))).toEqual([])
    expect(hasher.hash(turn('y'.repeat(10_000_000))).length).toBeLessThanOrEqual(256)
  })
})
