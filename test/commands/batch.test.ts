import {appendFileSync, existsSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {beforeEach, describe, expect, test} from 'vitest'
import {startCli} from '../support/run-cli.ts'
import {serveHarness} from '../support/serve-harness.ts'
import {waitFor} from '../support/wait-for.ts'

const it = serveHarness()
let input: string
let output: string
beforeEach(() => {
  input = join(it.home().dir, 'in.jsonl')
  output = join(it.home().dir, 'out.jsonl')
})

const give = (lines: readonly unknown[]) =>
  writeFileSync(input, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
const questions = (count: number) => Array.from({length: count}, (_, at) => `question ${at + 1}`)
const answers = () =>
  readFileSync(output, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
/** Also while it is written. */
const lineCount = () => readFileSync(output, 'utf8').split('\n').length - 1
const lineNumbers = () => answers().map(({line}) => line)
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)
const upTo = (count: number) => Array.from({length: count}, (_, at) => at + 1)
const batch = (...more: string[]) =>
  it.cli('batch', input, '-o', output, '--model', 'tiny', '--progress', 'none', ...more)
const asked = (nodes: readonly {readonly requests: readonly {readonly path: string}[]}[]) =>
  nodes.reduce(
    (sum, {requests}) => sum + requests.filter(({path}) => path === '/api/generate').length,
    0,
  )

test('every line is answered once, by whichever node, and the nodes and their tokens are told', async () => {
  const nodes = [await it.node({decodeTokensPerS: 200}), await it.node({decodeTokensPerS: 200})]
  it.write(nodes)
  give(questions(30))
  const {code, stdout} = await batch('--json')
  expect(code).toBe(0)
  expect(sorted(lineNumbers())).toEqual(upTo(30))
  expect(asked(nodes)).toBe(30)
  const result = JSON.parse(stdout)
  expect(result).toMatchObject({answered: 30, failed: 0, lines: 30, through: 'own'})
  expect(result.nodes.map(({node}: {node: string}) => node).sort()).toEqual(['n1', 'n2'])
  expect(result.tokens.answer).toBe(30 * 16)
  const [first] = answers()
  expect(first).toMatchObject({node: expect.any(String), response: expect.any(String), done: true})
})

test('standard input to standard output, prompts, chats and vectors; notes are not among the answers', async () => {
  it.write([await it.node({models: ['tiny', 'embedder']})])
  const lines = [
    '"a"\n\n{"messages":[{"role":"user","content":"b"}]}\n',
    '{"custom_id":"v","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":"c"}]}}',
  ]
  const {code, stdout} = await runBatchIn(lines.join(''), '--model', 'tiny', '--keep-order')
  expect(code).toBe(0)
  const told = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(told).toMatchObject([
    {line: 1, response: expect.any(String)},
    {line: 3, message: {role: 'assistant', content: expect.any(String)}},
    {
      line: 4,
      custom_id: 'v',
      response: {status_code: 200, body: {choices: [{message: {role: 'assistant'}}]}},
      error: null,
    },
  ])
  const vectors = await runBatchIn('{"input":["x","y"]}', '--model', 'embedder')
  expect(JSON.parse(vectors.stdout).embeddings).toHaveLength(2)
})

async function runBatchIn(stdin: string, ...args: string[]) {
  const running = startCli(['batch', '--progress', 'none', ...args], {env: it.home().env})
  running.child.stdin.end(stdin)
  return running.ended
}

describe('after kill -9', () => {
  test.each([[[]], [['--keep-order']]])(
    'the same command goes on and neither loses nor doubles a line (%j)',
    async (flags) => {
      it.write([await it.node({slots: 4, decodeTokensPerS: 100})])
      give(questions(60))
      for (let wanted = 8; wanted <= 40; wanted += 16) {
        const words = [
          'batch',
          input,
          '-o',
          output,
          '--model',
          'tiny',
          '--progress',
          'none',
          ...flags,
        ]
        const running = it.hold(startCli(words, {env: it.home().env}))
        await waitFor('some answers', () => existsSync(output) && lineCount() >= wanted)
        running.child.kill('SIGKILL')
        await running.ended
        // As the kill may leave it.
        appendFileSync(output, '{"line":')
      }
      const before = lineCount()
      const {code, stdout} = await batch('--json', ...flags)
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({answered: 60 - before, earlier: {answered: before}})
      expect(flags.length > 0 ? lineNumbers() : sorted(lineNumbers())).toEqual(upTo(60))
    },
  )
})

test('Ctrl-C lets the running lines end, sends nothing new, and says how to go on', async () => {
  const node = await it.node({slots: 2, decodeTokensPerS: 50})
  it.write([node])
  give(questions(40))
  const words = ['batch', input, '-o', output, '--model', 'tiny', '--concurrency', '2']
  const running = it.hold(startCli(words, {env: it.home().env}))
  await waitFor('requests', () => asked([node]) >= 3)
  running.child.kill('SIGINT')
  const {code, stderr} = await running.ended
  expect(code).toBe(130)
  expect(stderr).toContain('run the same command again')
  expect(node.cancelled).toBe(0)
  expect(answers()).toHaveLength(asked([node]))
  expect(await batch()).toMatchObject({code: 0})
  expect(sorted(lineNumbers())).toEqual(upTo(40))
  expect(asked([node])).toBe(40)
})

test('with --keep-order answers stand as their lines do, however long each took', async () => {
  it.write([await it.node({slots: 8, decodeTokensPerS: 300, answerTokens: 500})])
  give(upTo(40).map((at) => ({prompt: `q${at}`, options: {num_predict: (at * 37) % 50 || 1}})))
  expect(await batch('--keep-order')).toMatchObject({code: 0})
  expect(lineNumbers()).toEqual(upTo(40))
})

test('broken lines of a file are told before anything is sent, or are failed ones if wished', async () => {
  const node = await it.node()
  it.write([node])
  writeFileSync(input, '"a"\n{"prompt": \n{"nothing":1}\n"b"\n')
  const refused = await batch()
  expect(refused.code).toBe(2)
  expect(refused.stderr).toMatch(/2 lines that cannot be asked: line 2: .*; line 3: /s)
  expect(asked([node])).toBe(0)
  const skipped = await batch('--skip-broken')
  expect(skipped.code).toBe(1)
  expect(skipped.stderr).toMatch(/LINES_FAILED/)
  expect(skipped.stderr).toContain('line 2: no JSON')
  expect(answers().filter(({error}) => error)).toHaveLength(2)
})

test('what the node refuses is a failed line, told with its number, and asked again by --retry-failed alone', async () => {
  const node = await it.node()
  it.write([node])
  give(['a', {prompt: 'b', options: {temperature: 'hot'}}, 'c'])
  const first = await batch('--json')
  expect(first.code).toBe(1)
  expect(JSON.parse(first.stdout).error).toMatchObject({
    code: 'LINES_FAILED',
    details: {answered: 2, failed: 1, failures: [{line: 2, code: 'http_500'}]},
  })
  const before = asked([node])
  expect((await batch()).code).toBe(1)
  expect(asked([node])).toBe(before)
  expect((await batch('--retry-failed')).code).toBe(1)
  expect(asked([node])).toBe(before + 1)
  expect(sorted(lineNumbers())).toEqual([1, 2, 3])
})

test('a node that fails costs no line where another one is well', async () => {
  const bad = await it.node({fault: {kind: 'cut', afterTokens: 3, how: 'rst'}})
  const good = await it.node({decodeTokensPerS: 300})
  it.write([bad, good])
  give(questions(30))
  expect(await batch()).toMatchObject({code: 0})
  expect(new Set(answers().map(({node}) => node))).toEqual(new Set(['n2']))
  expect(sorted(lineNumbers())).toEqual(upTo(30))
})

test('an input that was changed since is refused, and so is another model', async () => {
  it.write([await it.node({models: ['tiny', 'other']})])
  give(['a', 'b'])
  expect(await batch()).toMatchObject({code: 0})
  const other = await it.cli('batch', input, '-o', output, '--model', 'other')
  expect(other).toMatchObject({code: 2, stderr: expect.stringContaining('line 1 of')})
  give(['a', 'another', 'c'])
  expect(await batch()).toMatchObject({code: 2, stderr: expect.stringContaining('line 2 of')})
  give(['a'])
  expect(await batch()).toMatchObject({code: 2, stderr: expect.stringContaining('lacks lines')})
  expect(sorted(lineNumbers())).toEqual([1, 2])
  give(['a', 'b', 'c'])
  expect(await batch()).toMatchObject({code: 0})
  expect(sorted(lineNumbers())).toEqual([1, 2, 3])
})

test.each(['notes\n', 'a line without an end', '{"a":1}\n{"line":'])(
  'a file of something else is left as it is: %j',
  async (text) => {
    it.write([await it.node()])
    give(['a'])
    writeFileSync(output, text)
    const {code, stderr} = await batch()
    expect(code).toBe(2)
    expect(stderr).toContain('was not written by a batch')
    expect((await batch('--retry-failed')).code).toBe(2)
    expect(readFileSync(output, 'utf8')).toBe(text)
  },
)

test('an output that cannot be written is told before anything is sent', async () => {
  const node = await it.node()
  it.write([node])
  give(['a'])
  output = join(it.home().dir, 'no', 'such', 'out.jsonl')
  expect(await batch()).toMatchObject({code: 1, stderr: expect.stringContaining('STATE_IO')})
  expect(asked([node])).toBe(0)
})

test('a full disk ends the batch with what it could keep', async () => {
  it.write([await it.node()])
  give(['a', 'b'])
  output = '/dev/full'
  const {code, stderr} = await batch()
  expect(code).toBe(1)
  expect(stderr).toContain('no space is left on the device')
})

test('two batches do not write to one file', async () => {
  it.write([await it.node({decodeTokensPerS: 10})])
  give(questions(20))
  const words = ['batch', input, '-o', output, '--model', 'tiny']
  const running = it.hold(startCli(words, {env: it.home().env}))
  await waitFor('the first to begin', () => existsSync(output))
  expect(await batch()).toMatchObject({code: 5, stderr: expect.stringContaining('LOCKED')})
  running.child.kill('SIGKILL')
})

test('a model that no node has, and a cluster without nodes, end it at once', async () => {
  it.write([await it.node()])
  give(['a', 'b'])
  const unknown = await it.cli('batch', input, '-o', output, '--model', 'nope')
  expect(unknown).toMatchObject({code: 3, stderr: expect.stringContaining('MODEL_NOT_FOUND')})
  it.write([])
  expect(await batch()).toMatchObject({code: 4, stderr: expect.stringContaining('no node to ask')})
})

test('a running gateway is asked, and says who answered', async () => {
  const nodes = [await it.node(), await it.node()]
  it.write(nodes)
  const gateway = await it.serve()
  const file = it.write(nodes)
  appendFileSync(file, `gateway: {url: "${gateway.url}"}\n`)
  give(questions(10))
  const {code, stdout} = await batch('--json')
  expect(code).toBe(0)
  const {through, nodes: by} = JSON.parse(stdout)
  expect(through).toBe('gateway')
  expect(by.every(({node}: {node: string}) => /^n[12]$/.test(node))).toBe(true)
})

test('a long answer among short ones is not taken for a hang, in either form', async () => {
  const slow = {slots: 2, decodeTokensPerS: 100, answerTokens: 300}
  const nodes = [await it.node(slow), await it.node(slow)]
  it.write(nodes)
  const messages = [{role: 'user', content: 'q'}]
  const ask = (most?: number) => [
    {url: '/v1/chat/completions', body: {messages, ...(most ? {max_tokens: most} : {})}},
    {messages, options: most ? {num_predict: most} : {}},
  ]
  give([...Array.from({length: 30}, () => ask(5)).flat(), ...ask()])
  const {code, stdout} = await batch('--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({answered: 62, retried: 0})
  expect(nodes.map(({cancelled}) => cancelled)).toEqual([0, 0])
})

test('a gateway that is killed and comes back costs no line', async () => {
  const node = await it.node({slots: 4, decodeTokensPerS: 100, answerTokens: 50})
  it.write([node])
  const gateway = await it.serve()
  appendFileSync(it.write([node]), `gateway: {url: "${gateway.url}"}\n`)
  give(questions(60))
  const words = ['batch', input, '-o', output, '--model', 'tiny', '--retry-failed']
  const running = it.hold(startCli(words, {env: it.home().env}))
  await waitFor('some answers', () => existsSync(output) && lineCount() >= 10)
  gateway.child.kill('SIGKILL')
  await gateway.ended.catch(() => {})
  const before = lineCount()
  await it.serve(['--listen', new URL(gateway.url).host])
  const {code} = await running.ended
  expect(code).toBe(0)
  expect(before).toBeLessThan(60)
  expect(sorted(lineNumbers())).toEqual(upTo(60))
})
