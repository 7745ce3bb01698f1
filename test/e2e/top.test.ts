import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, expect} from 'vitest'
import {needs} from '../support/needs.ts'
import {type NodeProcess, startNodeProcess} from '../support/node-process.ts'
import {ask, serveHarness} from '../support/serve-harness.ts'
import {ollamax, type Pane, RESTORED, startPane} from '../support/tmux.ts'
import {waitFor} from '../support/wait-for.ts'

const test = needs('tmux', 'stty')
const it = serveHarness()
const panes: Pane[] = []
const processes: NodeProcess[] = []
afterEach(async () => {
  for (const pane of panes.splice(0)) pane.close()
  await Promise.all(processes.splice(0).map((node) => node.kill()))
})

type Size = {columns?: number; rows?: number; env?: Readonly<Record<string, string>>}

/** `ollamax top` with these words, on a terminal of that size. */
function top(args: readonly string[] = [], {env = {}, ...size}: Size = {}): Pane {
  const pane = startPane(ollamax('top', ...args), {env: {...it.home().env, ...env}, ...size})
  panes.push(pane)
  return pane
}

/** A gateway that the cluster file names, in front of so many stand-ins. */
async function gateway(nodes: number, options: Parameters<typeof it.node>[0] = {}) {
  const list = []
  for (let at = 0; at < nodes; at++) list.push(await it.node(options))
  it.write(list)
  const serve = await it.serve()
  const file = it.write(list)
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('nodes:', `gateway:\n  url: ${serve.url}\nnodes:`))
  return {serve, list}
}

test.each([
  [60, 15],
  [80, 24],
  [200, 50],
])(
  'at %dx%d every view is there, and no line is wider than the terminal',
  async (columns, rows) => {
    await gateway(2)
    const pane = top([], {columns, rows})
    await pane.sees(/gateway http.*live/)
    const views = ['overview', 'nodes', 'models', 'requests', 'events']
    for (const [at, view] of views.entries()) {
      pane.press(`${at + 1}`)
      const screen = await pane.sees(`[${at + 1} ${view}]`)
      const lines = screen.split('\n')
      expect(lines).toHaveLength(rows)
      expect(lines[0]).toMatch(/^ ollamax top {2}default .* live$/)
      expect(lines.at(-1)).toMatch(/^ \? help {2}: command/)
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns)
    }
    pane.press('2', 'Enter')
    await pane.sees('> node n1')
    pane.press('?')
    await pane.sees('this help')
    pane.press('q')
    expect(await pane.ended()).toBe(0)
    expect(pane.terminal()).toEqual(RESTORED)
  },
)

test('it follows the size of its terminal, says when that is too small, and stays alive', async () => {
  await gateway(1)
  const pane = top(['--view', 'nodes'])
  await pane.sees(/> n1 +up/)
  pane.resize(50, 10)
  await pane.sees('50x10: too small, 60x15 needed; q leaves')
  for (const [columns, rows] of [
    [60, 15],
    [200, 50],
    [100, 20],
  ] as const) {
    pane.resize(columns, rows)
    const screen = await pane.sees(
      new RegExp(`^ ollamax top {2}default.* {1,}live\\n(.*\\n){${rows - 2}} \\? help`),
    )
    expect(screen.split('\n')).toHaveLength(rows)
    expect(screen).toMatch(/> n1 +up/)
  }
  pane.press('C-c')
  expect(await pane.ended()).toBe(0)
})

test('NO_COLOR is kept: not one escape sequence of a colour; without it there are some', async () => {
  await gateway(1)
  const without = top(['--view', 'nodes'], {env: {NO_COLOR: '1'}})
  await without.sees(/> n1 +up/)
  expect(without.coloured()).not.toContain('\u001b')
  const coloured = top(['--view', 'nodes'])
  await coloured.sees(/> n1 +up/)
  expect(coloured.coloured()).toContain('\u001b[7m')
})

test.each([
  ['SIGTERM', 130],
  ['SIGINT', 130],
  ['SIGHUP', 0],
] as const)('%s gives the terminal back as it was', async (signal, code) => {
  await gateway(1)
  const pane = top()
  await pane.sees('live')
  process.kill(pane.pid(), signal)
  expect(await pane.ended()).toBe(code)
  expect(pane.terminal()).toEqual(RESTORED)
  expect(pane.screen()).not.toMatch(/^ {4}at /m)
})

test('SIGTERM to the whole group, before anything has come, gives the terminal back too', async () => {
  await gateway(1)
  const pane = top()
  await pane.sees('ollamax top')
  // tmux gives the pane a session of its own; the shell around the program heeds no SIGTERM meanwhile.
  process.kill(-pane.group(), 'SIGTERM')
  expect(await pane.ended()).toBe(130)
  expect(pane.terminal()).toEqual(RESTORED)
})

test('an error that nobody caught gives the terminal back, and can be read', async () => {
  await gateway(1)
  const boom = 'process.on("SIGUSR2",()=>setImmediate(()=>{throw new Error("boom")}))'
  const pane = top([], {
    env: {NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(boom)}`},
  })
  await pane.sees('live')
  process.kill(pane.pid(), 'SIGUSR2')
  expect(await pane.ended()).toBe(1)
  expect(pane.terminal()).toEqual(RESTORED)
  expect(pane.screen()).toContain('boom')
})

test('a node that dies is down with the reason, and up again when it is back', async () => {
  const node = await startNodeProcess({models: [{name: 'tiny:latest'}]})
  processes.push(node)
  it.write([node])
  const pane = top(['--view', 'nodes'], {columns: 120})
  await pane.sees(/nodes directly/)
  await pane.sees(/> n1 +up/)
  await node.kill()
  await pane.sees(/> n1 +down .*cannot connect/)
  processes.push(
    await startNodeProcess({models: [{name: 'tiny:latest'}]}, Number(new URL(node.url).port)),
  )
  await pane.sees(/> n1 +up/)
})

test('a gateway that goes is shown as lost with the age of what is shown, and is found again', async () => {
  const {serve} = await gateway(1)
  const pane = top()
  await pane.sees(/gateway http.*live/)
  serve.child.kill('SIGKILL')
  await pane.sees('LOST, trying again; data of')
  const port = new URL(serve.url).port
  await it.serve(['--listen', `127.0.0.1:${port}`])
  await pane.sees(/gateway http.*live/, 30_000)
})

test('d drains a node if the answer is yes, u takes it back; the cluster file says so', async () => {
  it.write([await it.node(), await it.node()])
  const file = join(it.clusters(), 'default.yaml')
  const pane = top(['--view', 'nodes'], {columns: 120})
  await pane.sees(/> n1 +up/)
  pane.press('d')
  await pane.sees('Drain n1? No new request goes there. y/N')
  pane.press('n')
  await pane.sees('nothing was done')
  pane.press('d')
  await pane.sees('y/N')
  pane.press('y')
  await pane.sees('n1 is drained')
  await pane.sees(/> n1 +up,drained/)
  expect(readFileSync(file, 'utf8')).toMatch(/name: n1.*drained: true/)
  pane.press('u')
  await pane.sees('n1 is not drained any more')
  await pane.sees(/> n1 +up /)
})

test('p pulls a model to a node, and says what became of it', async () => {
  it.write([await it.node({models: [], pullable: ['tiny']})])
  const pane = top(['--view', 'nodes'])
  await pane.sees(/> n1 +up/)
  pane.press('p')
  pane.type('tiny')
  await pane.sees('pull to n1: tiny_')
  pane.press('Enter')
  await pane.sees('tiny is on n1', 30_000)
  pane.press('3')
  // What lies on a disk is read less often than what goes on.
  await pane.sees(/> tiny/, 30_000)
  pane.press('2', 'p')
  pane.type('nonesuch')
  pane.press('Enter')
  await pane.sees(/nonesuch/)
})

test('a request under way is seen with the reason for its node, and c ends it', async () => {
  const {serve} = await gateway(1, {decodeTokensPerS: 10, answerTokens: 2000})
  const pane = top(['--view', 'requests'], {columns: 140})
  await pane.sees('no requests now')
  let heard = false
  const hear = () => {
    heard = true
  }
  ask(serve.url)
    .then((reply) => reply.text())
    .then(hear, hear)
  await pane.sees(/> +\w+ +running +tiny\S* +n1/)
  pane.press('Enter')
  await pane.sees('expected of each node')
  pane.press('c')
  await pane.sees('End tiny:latest on n1? Its client gets an error. y/N')
  pane.press('y')
  await pane.sees('the request is ended')
  await waitFor('the client to hear of it', () => heard)
})
