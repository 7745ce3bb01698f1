import {afterEach, beforeEach, expect, test} from 'vitest'
import type {Ask} from '../../../src/lib/cluster/ask.ts'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {makeTools} from '../../../src/lib/jobs/make-tools.ts'
import {TOUR_PROMPT, type TourOptions, tour} from '../../../src/lib/jobs/tour/tour.ts'
import {clusterHome} from '../../support/cluster-home.ts'
import {fakeAsk} from '../../support/fake-ask.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import type {TempHome} from '../../support/temp-home.ts'

let home: TempHome
let node: FakeOllama
const {signal} = new AbortController()
beforeEach(async () => {
  node = await startFakeOllama({
    models: [
      {name: 'embed', sizeBytes: 1, capabilities: ['embedding']},
      {name: 'large', sizeBytes: 900, capabilities: ['completion']},
      {name: 'small', sizeBytes: 100, capabilities: ['completion']},
    ],
  })
  home = clusterHome([node])
})
afterEach(async () => {
  await node.close()
  home.dispose()
})

/** Walks with commands that are noted instead of run. */
async function walk(more: Partial<TourOptions> = {}, ask?: Ask) {
  const commands: string[] = []
  const entered: string[] = []
  const steps = await tour(makeTools({env: home.env, signal, ...(ask ? {ask} : {})}), {
    answers: {},
    ...{from: 'start', more: [], yes: false, acceptHostKey: false, shell: 'bash'},
    run: async (words) => void commands.push(words.join(' ')),
    tryGateway: async ({model, prompt}) => void commands.push(`gateway ${model} ${prompt}`),
    entered: (step) => void entered.push(step),
    say: () => {},
    ...more,
  })
  return {steps, commands, entered}
}
const all = {start: 'keep', prompt: 'hi', explain: true, serve: true, completion: true} as const

test('with every flag nobody is asked, and each step runs its commands', async () => {
  const {steps, commands} = await walk({answers: all})
  expect(commands).toEqual([
    'run small:latest hi',
    'status',
    'route explain small:latest hi',
    'gateway small:latest hi',
    'completion bash --install',
  ])
  expect(steps.map(({step, outcome}) => `${step} ${outcome}`)).toEqual([
    ...['start skipped', 'prompt done', 'explain done', 'serve done', 'completion done'],
  ])
})

test('at a terminal each step asks what its flag does not say', async () => {
  const ask = fakeAsk(['ssh', 'ubuntu@gpu-1', 'large:latest', '', 'yes', 'no', 'yes'])
  const {commands} = await walk({more: ['--cluster', 'lab x']}, ask)
  expect(ask.asked).toHaveLength(7)
  expect(commands).toEqual([
    'node add ubuntu@gpu-1 --cluster lab x',
    `run large:latest ${TOUR_PROMPT} --cluster lab x`,
    'status --cluster lab x',
    `route explain large:latest ${TOUR_PROMPT} --cluster lab x`,
    'completion bash --install --cluster lab x',
  ])
})

test('what a step runs is told as it would be typed', async () => {
  const said: string[] = []
  const answers = {...all, prompt: "it's"}
  const {steps} = await walk({answers, from: 'prompt', say: (text) => void said.push(text)})
  expect(said.join('\n')).toContain(`$ ollamax run small:latest 'it'\\''s'`)
  expect(steps[0]?.commands).toEqual([`ollamax run small:latest 'it'\\''s'`])
})

test('without a terminal every missing flag is named before anything is run', async () => {
  const commands: string[] = []
  const run = async (words: readonly string[]) => void commands.push(words.join(' '))
  const missing = async (more: Partial<TourOptions>) => {
    const error = await walk({run, ...more}).catch((thrown: unknown) => thrown)
    if (!OllamaxError.is(error, 'NEEDS_TTY')) throw error
    return error.suggestions.join('\n')
  }
  const named = await missing({})
  for (const flag of ['--start', '--prompt', '--explain', '--serve', '--completion'])
    expect(named).toContain(`pass ${flag}`)
  expect(await missing({answers: {...all, start: 'ssh'}})).toBe('pass --target user@host')
  expect(await missing({from: 'serve', answers: {completion: false}})).toBe(
    'pass --serve or --no-serve',
  )
  expect(commands).toEqual([])
})

test('it begins where it is told to, and says where it is before anything happens', async () => {
  const failing = async () => {
    throw new OllamaxError('INTERRUPTED', 'interrupted')
  }
  const entered: string[] = []
  const options = {answers: all, from: 'explain', run: failing} as const
  await expect(walk({...options, entered: (step) => void entered.push(step)})).rejects.toThrow(
    'interrupted',
  )
  expect(entered).toEqual(['explain'])
})

test('a fleet without a model for text is offered the smallest one', async () => {
  await node.set({models: [{name: 'embed', sizeBytes: 1, capabilities: ['embedding']}]})
  const ask = fakeAsk([true])
  const {commands} = await walk({answers: all, from: 'prompt'}, ask)
  expect(commands.slice(0, 2)).toEqual(['model pull smollm2:135m', 'run smollm2:135m hi'])
  await expect(walk({answers: all, from: 'prompt'}, fakeAsk([false]))).rejects.toMatchObject({
    code: 'MODEL_NOT_FOUND',
  })
})

test('there is nothing to keep in a cluster without nodes, and that is said', async () => {
  home.dispose()
  home = clusterHome([])
  await expect(walk({answers: all})).rejects.toMatchObject({code: 'NODE_NOT_FOUND'})
})
