import {type AddressInfo, createServer, type Socket} from 'node:net'
import {join} from 'node:path'
import {afterEach, beforeEach, expect} from 'vitest'
import {askNobody} from '../../../src/lib/cluster/ask.ts'
import type {Cluster, NodeSpec} from '../../../src/lib/cluster/node.ts'
import type {DispatchNote} from '../../../src/lib/jobs/ask-node.ts'
import {type RunOptions, type RunTools, runModel} from '../../../src/lib/jobs/run-model.ts'
import {takeLease} from '../../../src/lib/state/leases.ts'
import type {FakeOptions} from '../../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

/** Nodes and tools that belong to one test each; to be called once per file. */
export function runHarness() {
  let home: TempHome
  const nodes: FakeOllama[] = []
  const closers: Array<() => void> = []
  beforeEach(() => {
    home = tempHome()
  })
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.close()))
    for (const close of closers.splice(0)) close()
    home.dispose()
  })

  async function start(...options: FakeOptions[]): Promise<FakeOllama[]> {
    const started = await Promise.all(options.map((one) => startFakeOllama(one)))
    nodes.push(...started)
    return started
  }

  /** An address where connections are taken and nothing is ever said. */
  async function startSilent(): Promise<{url: string; open: () => number}> {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
      socket.resume()
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    closers.push(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    const {port} = server.address() as AddressInfo
    return {url: `http://127.0.0.1:${port}`, open: () => sockets.size}
  }

  function toolsFor(specs: readonly NodeSpec[], more: Partial<Cluster> = {}): RunTools {
    const cluster: Cluster = {name: 'default', nodes: specs, ...more}
    return {
      cluster: async () => cluster,
      async endpoint(node) {
        if (node.kind !== 'direct') throw new Error(`no way to ${node.name}`)
        return {kind: 'url', url: node.url, headers: {}}
      },
      paths: {
        config: home.dir,
        data: home.dir,
        cache: join(home.dir, 'cache'),
        run: join(home.dir, 'run'),
      },
      ask: askNobody,
    }
  }
  return {start, startSilent, toolsFor}
}

export const spec = (url: string, name: string, more: Partial<NodeSpec> = {}) =>
  ({
    kind: 'direct',
    name,
    url,
    headers: {},
    labels: {},
    drained: false,
    ollama: {},
    ...more,
  }) as NodeSpec

export const named = (list: readonly {url: string}[]) =>
  list.map(({url}, at) => spec(url, `n${at + 1}`))

/** Runs a prompt and keeps what was shown and what happened on the way. */
export function run(tools: RunTools, more: Partial<RunOptions> = {}) {
  const shown: string[] = []
  const notes: DispatchNote[] = []
  const answer = runModel(tools, {
    body: {model: 'tiny', prompt: 'hi'},
    signal: new AbortController().signal,
    show({text}) {
      if (text) shown.push(text)
      return text !== ''
    },
    note: (note) => void notes.push(note),
    ...more,
  })
  return {answer, shown, notes, text: () => shown.join('')}
}
/** Makes the policy `round-robin` take this node after all others. */
export function useLast(tools: RunTools, name: string): void {
  takeLease(join(tools.paths.run, 'leases', 'default'), [name], () => name)?.release()
}
export const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it must fail'),
    (error: unknown) =>
      error as {
        code: string
        message: string
        suggestions: string[]
        details: Record<string, unknown>
      },
  )
export const inference = (node: FakeOllama) =>
  node.requests.filter(({path}) => path === '/api/generate' || path === '/api/chat').length
