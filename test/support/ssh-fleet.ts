import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {diskStore} from './fake-ollama/disk-store.ts'
import type {FakeOptions} from './fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from './fake-ollama.ts'
import {type CliResult, type RunningCli, runCli, startCli} from './run-cli.ts'
import {type Sshd, startSshd} from './sshd.ts'

/** A node of such a fleet. */
export interface SshFleetNode {
  readonly name: string
  readonly ollama: FakeOllama
  /** Where its models lie. */
  readonly store: string
}

/** Nodes behind a real SSH server that are one machine, each with an Ollama and a store of its own. */
export interface SshFleet {
  readonly sshd: Sshd
  readonly nodes: readonly SshFleetNode[]
  readonly env: Readonly<Record<string, string>>
  cli(...args: string[]): Promise<CliResult>
  startCli(...args: string[]): RunningCli
  /** Of a node's store. */
  close(): Promise<void>
}

export interface SshFleetOptions {
  /** False: the nodes' own entries do not say where models lie. Default true. */
  readonly saysWhere?: boolean
  /** More of the cluster file, made of the nodes. */
  readonly more?: (nodes: readonly SshFleetNode[]) => string
}

/** Starts nodes n1, n2...; close it at the end of the test. */
export async function sshFleet(
  options: readonly FakeOptions[],
  {saysWhere = true, more}: SshFleetOptions = {},
): Promise<SshFleet> {
  const sshd = await startSshd()
  const env = {...(sshd.env as Record<string, string>), OLLAMAX_HOME: join(sshd.dir, 'ollamax')}
  const nodes = await Promise.all(
    options.map(async (one, at): Promise<SshFleetNode> => {
      const name = `n${at + 1}`
      const store = join(sshd.dir, name)
      const disk = diskStore(store)
      return {name, store, ollama: await startFakeOllama(one, disk)}
    }),
  )
  const entries = nodes.map(({name, ollama, store}) => {
    const where = saysWhere ? `, env: {OLLAMA_MODELS: "${store}"}` : ''
    const labels = `labels: {is: ${name}}`
    const reach = `ssh: "${sshd.target}", hostKey: "${sshd.fingerprint()}", install: external`
    return `  - {name: ${name}, ${reach}, ${labels}, ollama: {port: ${ollama.port}${where}}}\n`
  })
  const clusters = join(sshd.dir, 'ollamax/clusters')
  mkdirSync(clusters, {recursive: true})
  const head = 'apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n'
  writeFileSync(join(clusters, 'default.yaml'), `${head}${entries.join('')}${more?.(nodes) ?? ''}`)
  return {
    ...{sshd, nodes, env},
    cli: (...args) => runCli(args, {env}),
    startCli: (...args) => startCli(args, {env}),
    async close() {
      await runCli(['holder', 'stop'], {env}).catch(() => undefined)
      await Promise.all(nodes.map(({ollama}) => ollama.close()))
      await sshd.stop()
    },
  }
}
