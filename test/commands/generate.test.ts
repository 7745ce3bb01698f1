import {afterEach, expect, test} from 'vitest'
import {clusterHome} from '../support/cluster-home.ts'
import type {FakeOptions} from '../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {runCli} from '../support/run-cli.ts'
import type {TempHome} from '../support/temp-home.ts'

let node: FakeOllama
let home: TempHome
afterEach(async () => {
  await node.close()
  home.dispose()
})
async function start(options: FakeOptions = {}) {
  node = await startFakeOllama(options)
  home = clusterHome([node])
  return home.env
}

test('raw prompt, suffix and template reach the node as they are', async () => {
  const env = await start({models: [{name: 'tiny', capabilities: ['completion', 'insert']}]})
  const words = [
    'generate',
    'tiny',
    '[INST] hi',
    '--raw',
    '--suffix',
    'end',
    '--template',
    '{{.Prompt}}',
  ]
  expect(await runCli(words, {env})).toMatchObject({code: 0, stderr: ''})
  expect(node.requests[0]?.body).toEqual({
    model: 'tiny',
    prompt: '[INST] hi',
    raw: true,
    suffix: 'end',
    template: '{{.Prompt}}',
    stream: true,
  })
})

test('--chunks prints the lines of the answer as the node sent them', async () => {
  const env = await start({answerTokens: 3})
  const {stdout} = await runCli(['generate', 'tiny', 'hi', '--chunks'], {env})
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toHaveLength(4)
  expect(lines.at(-1)).toMatchObject({done: true, eval_count: 3})
})

test('without a prompt the model is loaded, and unloaded with --keep-alive 0', async () => {
  const env = await start()
  expect(await runCli(['generate', 'tiny'], {env})).toEqual({code: 0, stdout: '', stderr: ''})
  const {stdout} = await runCli(['generate', 'tiny', '--keep-alive', '0', '--json'], {env})
  expect(JSON.parse(stdout)).toMatchObject({doneReason: 'unload', response: ''})
})
