import {isLoopback} from '../cluster/loopback.ts'
import type {DirectNode, EmbeddedNode, NodeSpec, SecretRef} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {OllamaxError} from '../errors.ts'
import {readNode} from '../ollama/read-node.ts'
import type {AddTarget} from './add-target.ts'
import type {Found} from './added-node.ts'
import {startEngine} from './start-engine.ts'
import type {Tools} from './tools.ts'

export interface AddDirectOptions {
  readonly target: Exclude<AddTarget, {kind: 'ssh'}>
  readonly name: string
  readonly before: NodeSpec | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | SecretRef>>
  readonly ca?: string | undefined
  readonly dryRun: boolean
  readonly report: Reporter
}

/** Looks whether a node that needs no SSH answers; NODE_UNREACHABLE and its kin if it does not. */
export async function addDirect(
  tools: Pick<Tools, 'endpoint' | 'env' | 'paths' | 'signal'>,
  options: AddDirectOptions,
): Promise<Found> {
  const {name, dryRun, report, target} = options
  const node = nodeOf(options)
  if (target.kind === 'embedded') {
    if (dryRun)
      return {
        node,
        dryRun,
        row: {steps: [{title: 'start the embedded node', root: false}], warnings: []},
      }
    await startEngine(tools, {report})
  }
  report({kind: 'start', subject: name, step: 'ask for its version'})
  const reading = await readNode(await tools.endpoint(node), name, {
    signal: tools.signal,
    timeoutMs: 10_000,
  })
  if (reading.kind === 'down')
    throw new OllamaxError(
      'NODE_UNREACHABLE',
      `no Ollama answers at ${target.target}: ${reading.message}`,
      {
        suggestions: [adviceOn(reading.message)],
        details: {cause: reading.code},
      },
    )
  const warnings =
    target.kind === 'direct' &&
    target.url.startsWith('http:') &&
    !isLocal(target.url) &&
    Object.keys(node.kind === 'direct' ? node.headers : {}).length > 0
      ? ['its headers go over the network unencrypted: use https, or add the machine over SSH']
      : []
  const {version} = reading
  const row = {steps: [], warnings, ...(version === undefined ? {} : {version})}
  return {node, dryRun, reading, row}
}

function nodeOf(options: AddDirectOptions): DirectNode | EmbeddedNode {
  const {before, name, target} = options
  const common = {
    name: before?.name ?? name,
    labels: {...before?.labels, ...options.labels},
    drained: before?.drained ?? false,
    ollama: before?.ollama ?? {},
  }
  if (target.kind === 'embedded') return {kind: 'embedded', ...common}
  const old = before?.kind === 'direct' ? before : undefined
  const ca = options.ca ?? old?.ca
  return {
    kind: 'direct',
    ...common,
    url: target.url,
    headers: {...old?.headers, ...options.headers},
    ...(ca === undefined ? {} : {ca}),
  }
}

function isLocal(url: string): boolean {
  const {protocol, hostname} = new URL(url)
  return protocol === 'http:' && isLoopback(hostname.replace(/^\[|\]$/g, ''))
}

function adviceOn(why: string): string {
  if (/certificate/i.test(why)) return 'Name the CA that signed its certificate: --ca FILE'
  if (/unauthorized|forbidden|HTTP 40[13]/i.test(why))
    return 'It wants to know who asks: --header Authorization=env:NAME, with the value in that variable'
  return 'Is it running, and does it listen on that address? ollama serve, OLLAMA_HOST'
}
