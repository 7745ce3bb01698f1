import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach} from 'vitest'
import type {FakeOptions} from './fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from './fake-ollama.ts'
import {type RunningCli, runCli} from './run-cli.ts'
import {startServe} from './serve.ts'
import {type TempHome, tempHome} from './temp-home.ts'

/** Slow enough that something can happen meanwhile. */
export const SLOW = {decodeTokensPerS: 60, answerTokens: 150}

/** A home, nodes and gateways that belong to one test each; to be called once per file. */
export function serveHarness() {
  let home: TempHome
  const nodes: FakeOllama[] = []
  const running: RunningCli[] = []
  beforeEach(() => {
    home = tempHome()
  })
  afterEach(async () => {
    for (const {child, ended} of running.splice(0)) {
      child.kill('SIGKILL')
      await ended
    }
    await Promise.all(nodes.splice(0).map((node) => node.close()))
    home.dispose()
  })
  const clusters = () => join(home.dir, 'ollamax/clusters')
  const cli = (...args: string[]) => runCli(args, {env: home.env})
  return {
    home: () => home,
    clusters,
    cli,
    createKey: async (name: string) => (await cli('key', 'create', name)).stdout.trim(),
    async node(options: FakeOptions = {}) {
      const started = await startFakeOllama(options)
      nodes.push(started)
      return started
    },
    /** Writes a cluster file with these nodes, called n1, n2...; `more` goes into the entries. */
    write(list: readonly {readonly url: string}[], more = '', name = 'default') {
      mkdirSync(clusters(), {recursive: true})
      const entries = list.map(({url}, at) => `  - {name: n${at + 1}, url: "${url}"${more}}`)
      const file = join(clusters(), `${name}.yaml`)
      const lines = ['apiVersion: ollamax/v1', 'kind: Cluster', 'nodes:', ...entries, '']
      writeFileSync(file, lines.join('\n'))
      return file
    },
    async serve(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
      const started = await startServe(args, {env: {...home.env, ...env}})
      running.push(started)
      return started
    },
    /** For one that was started otherwise: it ends with the test. */
    hold(started: RunningCli) {
      running.push(started)
      started.ended.catch(() => {})
      return started
    },
  }
}

export const ask = (url: string, headers: Readonly<Record<string, string>> = {}, stream = true) =>
  fetch(`${url}/api/generate`, {
    method: 'POST',
    body: JSON.stringify({model: 'tiny', prompt: 'hi', stream}),
    headers,
  })

export const tokensIn = (answer: string) =>
  answer
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({response}) => response).length

/** A stream that has begun, and the rest of it. */
export async function begun(url: string) {
  const reply = await ask(url)
  const reader = reply.body?.getReader()
  const first = await reader?.read()
  const whole = async () => {
    const chunks = [Buffer.from(first?.value ?? [])]
    for (;;) {
      const next = await reader?.read()
      if (!next || next.done) return Buffer.concat(chunks).toString()
      chunks.push(Buffer.from(next.value))
    }
  }
  return {by: reply.headers.get('x-ollamax-node'), whole: whole()}
}
