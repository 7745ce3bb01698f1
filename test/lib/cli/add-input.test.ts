import {expect, test} from 'vitest'
import {type AddFlags, readAddFlags} from '../../../src/lib/cli/add-input.ts'
import {parseTarget} from '../../../src/lib/jobs/add-target.ts'

const flags = (more: Partial<AddFlags>): AddFlags => ({install: true, concurrency: 1, ...more})

// Each of these would be refused by the cluster file, after the machine had been changed.
test.each<Partial<AddFlags>>([
  {env: ['http_proxy=http://proxy']},
  {env: ['_X=1']},
  {env: ['HTTPS_PROXY=http://me:geheim@proxy']},
  {env: ['SSH_KEY=x']},
  {env: ['A=b\nc']},
  {env: ['OLLAMA_HOST=0.0.0.0']},
  {'ollama-version': '0.33.0+x'},
  {label: ['a b=c']},
])('%j is refused before any machine is touched', async (more) => {
  await expect(readAddFlags(['h1'], flags(more))).rejects.toMatchObject({code: 'BAD_INPUT'})
})

test('a fingerprint may be given with its padding', async () => {
  const key = `SHA256:${'a'.repeat(43)}`
  const read = await readAddFlags(['h1'], flags({'host-key': `${key}=`}))
  expect(read.acceptHostKey).toBe(key)
})

test.each(['me:geheim@h1', 'a b@h1'])('%s is no target, and no password is repeated', (word) => {
  expect(() => parseTarget(word)).toThrow(expect.objectContaining({code: 'BAD_INPUT'}))
  expect(() => parseTarget(word)).not.toThrow(/geheim/)
})
