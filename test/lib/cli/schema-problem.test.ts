import {expect, test} from 'vitest'
import {schemaProblem} from '../../../src/lib/cli/schema-problem.ts'

test.each([
  [[], 'it must be a JSON object'],
  [{type: 'objekt'}, 'its type "objekt" is none of'],
  [{properties: []}, 'its properties must be an object'],
  [{properties: {a: {type: 'nope'}}}, 'its properties.a: type "nope" is none of'],
  [{properties: {a: 'string'}}, 'its properties.a: must be an object'],
  [{items: {anyOf: [{type: 'string'}, {type: 3}]}}, 'its items.anyOf[1]: type 3 is none of'],
  [{$defs: {a: {required: 'b'}}}, 'its $defs.a: required must be a list of names'],
  [{enum: 'a'}, 'its enum must be a list'],
  [{oneOf: {}}, 'its oneOf must be a list'],
])('%j is refused, and it is said where', (schema, said) => {
  expect(schemaProblem(schema)).toContain(said)
})

test.each([
  [{}],
  [{type: ['string', 'null'], enum: ['a', null]}],
  [{type: 'object', required: ['a'], additionalProperties: false, properties: {a: true}}],
  [{type: 'array', items: [{type: 'string'}], prefixItems: [{const: 1}]}],
  [{$ref: '#/$defs/a', $defs: {a: {allOf: [{type: 'integer', minimum: 1}]}}}],
  [{properties: {type: {type: 'string'}, required: {type: 'boolean'}, items: {type: 'array'}}}],
])('%j may be a schema', (schema) => {
  expect(schemaProblem(schema)).toBeUndefined()
})
