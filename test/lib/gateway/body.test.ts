import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {withNumCtx} from '../../../src/lib/gateway/body/changed.ts'
import {readFacts} from '../../../src/lib/gateway/body/facts.ts'
import {BadBody} from '../../../src/lib/gateway/body/parse.ts'
import {PrefixHasher} from '../../../src/lib/gateway/body/prefix.ts'
import {type Fields, walk} from '../../../src/lib/gateway/body/walk.ts'

const chat = {call: 'chat', streams: true} as const
const facts = (text: string, options: Parameters<typeof readFacts>[1] = chat) =>
  readFacts(Buffer.from(text), options)
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
    expect(() => facts(`{"model":"a","prompt":"${LONG}","MODEL":"b"}`)).toThrow(BadBody)
    expect(() => facts('{"model":"a","m\\u006fdel":"b"}').model).not.toThrow()
    expect(facts('{"model":"a","m\\u006fdel":"b"}').model).toBe('b')
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

  test('an inner field of the same name is not taken for the outer one', () => {
    const tools = [{function: {parameters: {properties: {model: {type: 'string'}}}}}]
    const body = {
      tools,
      format: {stream: false},
      messages: [{role: 'model', content: '{"model":"x"}'}],
    }
    expect(facts(JSON.stringify({...body, model: 'a', prompt: LONG}))).toMatchObject({
      model: 'a',
      stream: true,
    })
  })
})

/** Any JSON object, with names and texts that try to be mistaken for something else. */
const text = fc.oneof(
  fc.string({unit: 'binary'}),
  fc.constantFrom('"', '\\', '\\"', '{"model":"b"}', '"}', ']', '\\\\"', 'model', 'options'),
)
const anyObject = fc.dictionary(
  text,
  fc.jsonValue({stringUnit: 'binary'}).map((value) => value as unknown),
  {maxKeys: 8},
)

describe('walking over a body', () => {
  test('finds every field where parsing finds it', () => {
    fc.assert(
      fc.property(anyObject, fc.constantFrom(0, 1, 3), (object, indent) => {
        const body = Buffer.from(JSON.stringify(object, null, indent))
        const fields = walk(body)
        // Compared with what was written, not with JSON.parse: Node 24's takes the name `"` for one seen before, a
        // backslash, where an object of that shape was parsed earlier.
        for (const [name, value] of Object.entries(object)) {
          if (fields?.doubled.has(name.toLowerCase())) continue
          const place = fields?.places.get(name.toLowerCase())
          expect(`${body.subarray(place?.start, place?.end)}`.replace(/\s/g, '')).toBe(
            JSON.stringify(value).replace(/\s/g, ''),
          )
        }
        const names = new Set(Object.keys(object).map((key) => key.toLowerCase()))
        expect(fields?.places.size).toBe(names.size)
      }),
    )
  })

  test('of bytes that are no JSON it says nothing, and ends', () => {
    fc.assert(
      fc.property(fc.uint8Array({maxLength: 200}), anyObject, fc.nat(), (noise, object, cut) => {
        const whole = Buffer.from(JSON.stringify(object))
        walk(Buffer.from(noise))
        walk(whole.subarray(0, cut % whole.length))
        walk(Buffer.concat([Buffer.from('{'), Buffer.from(noise)]))
      }),
    )
    for (const none of [
      '',
      '[]',
      '7',
      '{',
      '{"a"',
      '{"a":',
      '{"a":"',
      '{"a":1,',
      '{a:1}',
      '{"a":[1}',
    ])
      expect(walk(Buffer.from(none))).toBeUndefined()
  })
})

describe('num_ctx', () => {
  const fieldsOf = (body: Buffer) => walk(body) as Fields

  test('stands in the body afterwards, all else unchanged', () => {
    const options = fc.record({num_ctx: fc.integer(), seed: fc.integer()}, {requiredKeys: []})
    const any = fc.record(
      {
        model: fc.string(),
        tools: fc.array(fc.record({options: fc.record({type: fc.string()})})),
        prompt: text,
        options: fc.oneof(options, fc.constant(null)),
      },
      {requiredKeys: ['model']},
    )
    fc.assert(
      fc.property(
        any,
        fc.integer({min: 1, max: 1e6}),
        fc.constantFrom(0, 2),
        (object, numCtx, indent) => {
          const body = Buffer.from(JSON.stringify(object, null, indent))
          const changed = JSON.parse(`${Buffer.concat(withNumCtx(body, fieldsOf(body), numCtx))}`)
          expect(changed).toEqual({...object, options: {...object.options, num_ctx: numCtx}})
        },
      ),
    )
  })

  test('comes into an object without fields, too', () => {
    const body = Buffer.from(' { } ')
    expect(JSON.parse(`${Buffer.concat(withNumCtx(body, fieldsOf(body), 5))}`)).toEqual({
      options: {num_ctx: 5},
    })
  })

  test.each(['"x"', '[1]', 'true', '{"num_ctx":"many"}', '{"num_ctx":true}', '{"num_ctx":[8]}'])(
    'leaves options %s to the node, which refuses them in its own words',
    (options) => {
      const body = Buffer.from(`{"model":"a","options":${options}}`)
      expect(`${Buffer.concat(withNumCtx(body, fieldsOf(body), 5))}`).toBe(`${body}`)
    },
  )

  test('leaves numbers alone that JavaScript cannot hold', () => {
    const body = Buffer.from('{"options":{"seed":12345678901234567890},"model":"a"}')
    expect(`${Buffer.concat(withNumCtx(body, fieldsOf(body), 5))}`).toContain(
      '12345678901234567890',
    )
  })
})

describe('prefix hashes', () => {
  const hash = (hasher: PrefixHasher, body: Buffer) => hasher.hash(body, walk(body) as Fields)
  const turn = (...texts: string[]) =>
    Buffer.from(
      JSON.stringify({model: 'a', messages: texts.map((content) => ({role: 'user', content}))}),
    )

  test('the next turn of a conversation begins with the hashes of the one before', () => {
    const hasher = new PrefixHasher()
    const first = hash(hasher, turn('a'.repeat(3000)))
    const second = hash(hasher, turn('a'.repeat(3000), 'b'.repeat(3000)))
    expect(first.length).toBeGreaterThan(3)
    expect(second.slice(0, first.length)).toEqual(first)
    expect(second.length).toBeGreaterThan(first.length)
  })

  test('another beginning has other hashes, all the way', () => {
    const hasher = new PrefixHasher()
    const a = hash(hasher, turn(`1${'a'.repeat(5000)}`))
    const b = hash(hasher, turn(`2${'a'.repeat(5000)}`))
    expect(a.some((hash, at) => hash === b[at])).toBe(false)
  })

  test('a byte that differs shows in its block and in all behind it', () => {
    const hasher = new PrefixHasher()
    const text = Buffer.from(JSON.stringify({prompt: 'lorem ipsum '.repeat(400)}))
    const before = hash(hasher, text)
    fc.assert(
      fc.property(fc.integer({min: 0, max: before.length * 512 - 1}), (at) => {
        const other = Buffer.from(text)
        const start = walk(text)?.places.get('prompt')?.start ?? 0
        if (at === 0) return
        other[start + at] = (other[start + at] ?? 0) ^ 1
        const after = hash(hasher, other)
        const same = after.map((one, block) => one === before[block])
        expect(same).toEqual(before.map((_, block) => block < Math.floor(at / 512)))
      }),
    )
  })

  test('the model and the options before the prompt do not count', () => {
    const hasher = new PrefixHasher()
    const body = (model: string) => Buffer.from(JSON.stringify({model, prompt: 'p'.repeat(2000)}))
    expect(hash(hasher, body('a'))).toEqual(hash(hasher, body('much-longer-name')))
  })

  test('short prompts and foreign bodies have none; long ones are bounded', () => {
    const hasher = new PrefixHasher()
    expect(hash(hasher, turn('hi'))).toEqual([])
    expect(hash(hasher, Buffer.from(`{"model":"${'x'.repeat(9999)}"}`))).toEqual([])
    expect(hash(hasher, turn('y'.repeat(10_000_000))).length).toBeLessThanOrEqual(256)
  })
})
