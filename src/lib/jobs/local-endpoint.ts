import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import type {DirectNode, EmbeddedNode, SecretRef} from '../cluster/node.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import type {Tools} from './tools.ts'

/**
 * How to reach a node that needs no SSH. CONFIG_INVALID if a secret or the CA that its entry refers to
 * is not to be had, ENGINE_MISSING if the embedded node does not run.
 */
export function localEndpoint(
  node: DirectNode | EmbeddedNode,
  tools: Pick<Tools, 'env' | 'paths'>,
): Endpoint {
  if (node.kind === 'embedded') return embedded(tools)
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(node.headers))
    headers[name] =
      typeof value === 'string'
        ? value
        : secret(value, `header ${name} of node ${node.name}`, tools)
  const ca = node.ca === undefined ? {} : {ca: readFor(`the CA of node ${node.name}`, node.ca)}
  return {kind: 'url', url: node.url, headers, ...ca}
}

function embedded({paths}: Pick<Tools, 'paths'>): Endpoint {
  let port: unknown
  try {
    const found: unknown = JSON.parse(readFileSync(join(paths.run, 'engine.json'), 'utf8'))
    port = (found as {port?: unknown} | null)?.port
  } catch {
    // Not there: the engine was never started, or it was stopped.
  }
  if (typeof port === 'number') return {kind: 'url', url: `http://127.0.0.1:${port}`, headers: {}}
  throw new OllamaxError('NODE_UNREACHABLE', 'the embedded node does not run', {
    suggestions: ['ollamax engine start'],
    details: {phase: 'connect', reason: 'refused'},
  })
}

/** `what` names the thing for people. */
function secret(ref: SecretRef, what: string, {env}: Pick<Tools, 'env'>): string {
  if ('file' in ref) return readFor(what, ref.file).trim()
  const value = env[ref.env]
  if (value) return value
  throw new OllamaxError(
    'CONFIG_INVALID',
    `${what} comes from the environment, and ${ref.env} is not set`,
    {suggestions: [`export ${ref.env}=...`]},
  )
}

function readFor(what: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new OllamaxError(
      'CONFIG_INVALID',
      `the file for ${what} cannot be read: ${messageOf(error)}`,
      {cause: error},
    )
  }
}
