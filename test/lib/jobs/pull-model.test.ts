import {expect, onTestFinished, test} from 'vitest'
import {makeTools} from '../../../src/lib/jobs/make-tools.ts'
import {pullModel} from '../../../src/lib/jobs/pull-model.ts'
import {sshFleet} from '../../support/ssh-fleet.ts'

test('two pulls of a model at once in one process are one: the second finds what the first brought', async () => {
  const fleet = await sshFleet([{pullable: ['small'], pullMs: 800}, {}])
  onTestFinished(() => fleet.close())
  const tools = makeTools({env: fleet.env, signal: new AbortController().signal})
  onTestFinished(() => tools.close())
  const pull = (to: readonly string[]) => pullModel(tools, {model: 'small', to, report: () => {}})
  const [first, second] = await Promise.all([pull(['n1']), pull(['n1', 'n2'])])
  const outcomes = [...first.nodes, ...second.nodes].map(({outcome}) => outcome)
  expect(outcomes.sort()).toEqual(['copied', 'had-it', 'pulled'])
  expect(fleet.nodes[1]?.ollama.requests.some(({path}) => path === '/api/pull')).toBe(false)
})
