import {expect, test} from 'vitest'
import {CATALOGUE, isAbort, messageOf, OllamaxError} from '../../src/lib/errors.ts'

test('an error carries its code, its exit code and what to do next', () => {
  const error = new OllamaxError('NODE_NOT_FOUND', 'no node "x"', {
    suggestions: ['ollamax node list'],
  })
  expect(error.code).toBe('NODE_NOT_FOUND')
  expect(error.oclif.exit).toBe(CATALOGUE.NODE_NOT_FOUND.exit)
  expect(error.suggestions).toEqual(['ollamax node list'])
})

test('an error of ours is known also when another bundle made it', () => {
  const foreign = Object.assign(new Error('x'), {code: 'LOCKED'})
  Object.defineProperty(foreign, Symbol.for('ollamax.error'), {value: true})
  expect(OllamaxError.is(foreign)).toBe(true)
  expect(OllamaxError.is(foreign, 'LOCKED')).toBe(true)
  expect(OllamaxError.is(foreign, 'TIMEOUT')).toBe(false)
  expect(OllamaxError.is(new Error('x'))).toBe(false)
  expect(OllamaxError.is('x')).toBe(false)
})

test('an abort is told from a failure', () => {
  expect(isAbort(AbortSignal.abort().reason)).toBe(true)
  expect(isAbort(new Error('x'))).toBe(false)
  expect(messageOf('plain')).toBe('plain')
})
