import {afterEach, expect, test} from 'vitest'
import {logProgress} from '../../../../src/lib/server/reconcile/tell-progress.ts'
import {waitFor} from '../../../support/wait-for.ts'

const lines: string[] = []
const log = {
  info: (text: string) => void lines.push(`info ${text}`),
  warn: (text: string) => void lines.push(`warn ${text}`),
}
afterEach(() => void lines.splice(0))

test('remarks are in the log as they come, and how far a long step is, until it is done', async () => {
  const progress = logProgress(log, 20)
  progress.report({kind: 'note', subject: 'a', text: 'no GPU'})
  progress.report({kind: 'warn', subject: 'a', text: 'clock is off'})
  expect(lines).toEqual(['info reconcile: a: no GPU', 'warn reconcile: a: clock is off'])
  progress.report({kind: 'bytes', subject: 'a', step: 'pull tiny', done: 2 ** 20, total: 2 ** 22})
  await waitFor('its progress', () => lines.length > 2)
  expect(lines[2]).toMatch(/a: pull tiny \.\.\. 1\.0M\S* of 4\.0M\S* \(25%\)/)
  progress.report({kind: 'done', subject: 'a', step: 'pull tiny', ms: 1})
  progress.report({kind: 'start', subject: 'b', step: 'other'})
  const before = lines.length
  await waitFor('the other step', () => lines.length > before)
  expect(lines.slice(before).join()).not.toContain('pull tiny')
  progress.stop()
})
