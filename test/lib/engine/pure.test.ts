import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {stopText} from '../../../src/lib/engine/infer/stop-text.ts'
import {translateSchema} from '../../../src/lib/engine/infer/translate-schema.ts'
import {
  parseChat,
  parseGenerate,
  parseKeepAlive,
} from '../../../src/lib/engine/serve/parse-request.ts'
import {threadsFor} from '../../../src/lib/engine/serve/run-engine.ts'

describe('stopText', () => {
  test('shows what stands before the stop string that is complete first, however the text is cut', () => {
    const letters = fc.string({unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30})
    const stops = fc.array(
      fc.string({unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4}),
      {
        maxLength: 3,
      },
    )
    fc.assert(
      fc.property(fc.array(letters, {maxLength: 8}), stops, (pieces, wanted) => {
        const out = stopText(wanted)
        let shown = ''
        for (const piece of pieces) {
          shown += out.push(piece)
          // Once shown, it cannot be taken back.
          expect(wanted.some((stop) => shown.includes(stop))).toBe(false)
        }
        shown += out.rest()
        const whole = pieces.join('')
        const found = wanted
          .map((stop) => ({start: whole.indexOf(stop), end: whole.indexOf(stop) + stop.length}))
          .filter(({start}) => start >= 0)
          .sort((a, b) => a.end - b.end || a.start - b.start)
        expect(out.stopped).toBe(found.length > 0)
        expect(shown).toBe(whole.slice(0, found[0]?.start))
      }),
    )
  })
})

describe('translateSchema', () => {
  test('turns anyOf, definitions and lists of types into what the grammars know', () => {
    const schema = {
      type: 'object',
      title: 'A remark',
      properties: {
        a: {anyOf: [{type: 'integer'}, {type: 'null'}]},
        b: {$ref: '#/definitions/thing'},
        c: {type: ['string', 'null']},
      },
      required: ['a'],
      definitions: {thing: {enum: [1, 2]}},
    }
    expect(translateSchema(schema)).toEqual({
      type: 'object',
      properties: {
        a: {oneOf: [{type: 'integer'}, {type: 'null'}]},
        b: {$ref: '#/$defs/thing'},
        c: {oneOf: [{type: 'string'}, {type: 'null'}]},
      },
      required: ['a'],
      $defs: {thing: {enum: [1, 2]}},
    })
  })

  test.each([
    [{type: 'string', pattern: '^a'}, 'pattern'],
    [{type: 'number', minimum: 3}, 'minimum'],
    [{type: 'array', items: {type: 'string', format: 'email'}}, 'format'],
    [{type: 'object', properties: {a: {$ref: '#/$defs/no'}}}, 'refers to nothing'],
    [{type: 'object', properties: {a: {}}}, 'which type'],
    [{type: 'whatever'}, 'type'],
    [{type: 'array', items: 3}, 'not an object'],
  ])('refuses %j rather than leaving a part of it out', (schema, why) => {
    expect(() => translateSchema(schema)).toThrow(why)
  })
})

describe('requests', () => {
  test.each([
    [undefined, 300_000],
    [0, 0],
    [-1, Infinity],
    [90, 90_000],
    ['10s', 10_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['-1m', Infinity],
    ['0', 0],
    // Beyond what a clock can show, for which Ollama has no number either.
    [1e300, Infinity],
    ['99999999999h', Infinity],
  ])('keep_alive %j is %d ms', (value, ms) => {
    expect(parseKeepAlive(value)).toBe(ms)
  })

  test.each(['soon', '5', '10 s', '', true, {}])('keep_alive %j is refused', (value) => {
    expect(() => parseKeepAlive(value)).toThrow()
  })

  test('defaults are those of Ollama', () => {
    const {sampling, stream} = parseGenerate({model: 'm'})
    expect(stream).toBe(true)
    expect(sampling).toEqual({
      temperature: 0.8,
      topK: 40,
      topP: 0.9,
      minP: 0,
      repeatPenalty: 1,
      repeatLastN: 64,
      frequencyPenalty: 0,
      presencePenalty: 0,
      numPredict: -1,
      stop: [],
    })
  })

  test.each([
    // All of the context.
    [-1, -1],
    [0, 0],
    [7, 7],
  ])('repeat_last_n %d is kept as %d', (repeat_last_n, tokens) => {
    const {sampling} = parseGenerate({model: 'm', options: {repeat_last_n}})
    expect(sampling.repeatLastN).toBe(tokens)
  })

  test.each([
    [{options: {temperature: 'hot'}}, 500, 'option "temperature" must be of type float32'],
    [{options: {stop: 3}}, 500, 'option "stop" must be of type array'],
    [{format: 'xml'}, 500, 'invalid format: "xml"; expected "json" or a valid JSON Schema object'],
    [{prompt: 3}, 400, 'json: cannot unmarshal field prompt: it must be of type string'],
    [
      {context: ['a']},
      400,
      'json: cannot unmarshal field context: it must be of type array of numbers',
    ],
  ])('generate with %j is %d', (body, status, message) => {
    expect(() => parseGenerate(body)).toThrow(expect.objectContaining({status, message}))
  })

  test('a chat with a role that does not exist is refused', () => {
    const messages = [{role: 'pirate', content: 'x'}]
    expect(() => parseChat({messages})).toThrow(expect.objectContaining({status: 400}))
  })
})

test.each([
  [1, 1],
  [2, 1],
  [8, 7],
  [128, 16],
])('of %i cores, inference takes %i and leaves one to others', (cores, threads) => {
  expect(threadsFor(cores)).toBe(threads)
})
