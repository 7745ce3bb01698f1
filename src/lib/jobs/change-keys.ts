import type {Key, KeyLimits} from '../auth/key.ts'
import {makeKeyId, makeToken} from '../auth/make-token.ts'
import {fingerprintOf, readSshKey} from '../auth/ssh-key.ts'
import {parseModelPattern} from '../cluster/model-pattern.ts'
import {nameProblem} from '../cluster/names.ts'
import {nearest} from '../cluster/nearest.ts'
import type {Priority} from '../cluster/priority.ts'
import {OllamaxError} from '../errors.ts'
import {changeKeys, loadKeys} from '../state/keys-file.ts'
import {readCluster} from '../state/load.ts'
import {confirmed} from './confirm.ts'
import type {Tools} from './tools.ts'

type Door = Pick<Tools, 'paths' | 'clusterName' | 'signal'>

/** A key as it may be shown: nothing in it helps anybody to pass for its holder. */
export interface ShownKey {
  readonly id: string
  readonly name: string
  /** token: its holder sends a secret text. ssh: its holder signs, as `ollama` does with OLLAMA_AUTH=1. */
  readonly kind: 'token' | 'ssh'
  /** Of an ssh key, as `ssh-keygen -l` prints it; null: a token. */
  readonly fingerprint: string | null
  readonly createdAt: string
  /** null: never. */
  readonly expiresAt: string | null
  readonly expired: boolean
  /** Names and globs; null: all. */
  readonly models: readonly string[] | null
  /** null: no limit. */
  readonly ratePerMinute: number | null
  readonly priority: Priority
  readonly weight: number
  /** Whether answers cut off on one node may go on from another. */
  readonly continue: boolean
  /** Whether it may see how the gateway decides, and its nodes. */
  readonly admin: boolean
}

export interface NewKey {
  readonly name: string
  /** From now; absent: it never expires. */
  readonly lifeMs?: number | undefined
  /** Empty: all. */
  readonly models: readonly string[]
  readonly ratePerMinute?: number | undefined
  readonly priority?: Priority | undefined
  readonly weight?: number | undefined
  readonly allowContinue: boolean
  readonly admin: boolean
  /** The text of a `.pub` file; absent: a token is made. */
  readonly sshKey?: string | undefined
}

/** The latest moment that a Date can be. */
const LATEST_MS = 8.64e15

/**
 * Makes a key. Its token is in the answer and nowhere else; null for an ssh key. BAD_INPUT for a name, a model or
 * an ssh key that cannot be one, KEY_EXISTS for a name or an ssh key that is taken.
 */
export async function createKey(
  tools: Door,
  wanted: NewKey,
): Promise<{readonly key: ShownKey; readonly token: string | null}> {
  const nowMs = Date.now()
  const common = {
    id: makeKeyId(),
    name: checkedName(wanted.name),
    createdAtMs: nowMs,
    ...limitsOf(wanted, nowMs),
  }
  const {token, hash} = makeToken()
  const publicKey = wanted.sshKey === undefined ? undefined : publicKeyIn(wanted.sshKey)
  const key: Key =
    publicKey === undefined ? {kind: 'token', ...common, hash} : {kind: 'ssh', ...common, publicKey}
  const add = (keys: readonly Key[]) => {
    refuseTaken(keys, key)
    return {keys: [...keys, key], result: undefined}
  }
  const options = {signal: tools.signal, why: `creating the key ${key.name}`}
  await changeKeys(tools.paths, tools.clusterName(), add, options)
  return {key: shown(key, nowMs), token: publicKey === undefined ? token : null}
}

function checkedName(name: string): string {
  const problem = nameProblem(name)
  if (problem !== undefined) throw new OllamaxError('BAD_INPUT', `bad name of a key: ${problem}`)
  return name
}

function limitsOf(wanted: NewKey, nowMs: number): KeyLimits {
  const {lifeMs, models, ratePerMinute, priority, weight, allowContinue, admin} = wanted
  if (lifeMs !== undefined && (lifeMs <= 0 || nowMs + lifeMs > LATEST_MS))
    throw new OllamaxError('BAD_INPUT', 'a key cannot expire then', {
      suggestions: ['say how long it is to be good, for example 30d'],
    })
  const bad = models.find((text) => parseModelPattern(text) === undefined)
  if (bad !== undefined)
    throw new OllamaxError('BAD_INPUT', `${JSON.stringify(bad)} is no name or glob of models`, {
      suggestions: ['write it like llama3.2, "qwen3:*" or "hf.co/me/*"'],
    })
  return {
    ...(lifeMs === undefined ? {} : {expiresAtMs: nowMs + lifeMs}),
    ...(models.length === 0 ? {} : {models}),
    ...(ratePerMinute === undefined ? {} : {ratePerMinute}),
    ...(priority === undefined ? {} : {priority}),
    ...(weight === undefined ? {} : {weight}),
    ...(allowContinue ? {allowContinue} : {}),
    ...(admin ? {admin} : {}),
  }
}

function publicKeyIn(text: string): string {
  const read = readSshKey(text)
  if (read.kind === 'key') return read.publicKey
  throw new OllamaxError('BAD_INPUT', `what was given as an ssh key ${read.problem}`, {
    suggestions: [
      'pass --ssh-key ~/.ollama/id_ed25519.pub of the machine where the ollama command runs',
      "where there is none: ssh-keygen -t ed25519 -N '' -f ~/.ollama/id_ed25519",
    ],
  })
}

function refuseTaken(keys: readonly Key[], key: Key): void {
  const named = keys.find(({name, id}) => name === key.name || id === key.name)
  if (named)
    throw new OllamaxError('KEY_EXISTS', `there is a key "${key.name}" already`, {
      suggestions: ['choose another name', `end that one: ollamax key revoke ${key.name}`],
    })
  const same = keys.find(
    (other) => other.kind === 'ssh' && key.kind === 'ssh' && other.publicKey === key.publicKey,
  )
  if (same)
    throw new OllamaxError('KEY_EXISTS', `that ssh key is in the cluster as "${same.name}"`, {
      suggestions: [`end that one first: ollamax key revoke ${same.name}`],
    })
}

/** The keys of the chosen cluster, by name. CLUSTER_NOT_FOUND, CONFIG_INVALID. */
export async function listKeys(tools: Pick<Tools, 'paths' | 'clusterName'>): Promise<ShownKey[]> {
  const cluster = tools.clusterName()
  readCluster(tools.paths, cluster)
  const keys = await loadKeys(tools.paths, cluster)
  const nowMs = Date.now()
  return keys
    .map((key) => shown(key, nowMs))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', {numeric: true}))
}

/** Takes a key, by name or id, out of the cluster after a question. KEY_NOT_FOUND, CONFIRM_NEEDED, NOT_CONFIRMED. */
export async function revokeKey(
  tools: Door & Pick<Tools, 'ask'>,
  {key: wanted, yes}: {readonly key: string; readonly yes: boolean},
): Promise<ShownKey> {
  const cluster = tools.clusterName()
  readCluster(tools.paths, cluster)
  const {id, name} = oneKey(await loadKeys(tools.paths, cluster), wanted)
  await confirmed(tools, yes, `Revoke the key "${name}" (${id})? It cannot be brought back.`)
  const take = (keys: readonly Key[]) => {
    // By the id that was asked about: meanwhile somebody may have given its name to another key.
    const key = oneKey(keys, id)
    return {keys: keys.filter((other) => other !== key), result: key}
  }
  const options = {signal: tools.signal, why: `revoking the key ${name}`}
  return shown(await changeKeys(tools.paths, cluster, take, options), Date.now())
}

function oneKey(keys: readonly Key[], wanted: string): Key {
  const found = keys.find(({name, id}) => name === wanted || id === wanted)
  if (found) return found
  const near = nearest(
    wanted,
    keys.map(({name}) => name),
  )
  throw new OllamaxError('KEY_NOT_FOUND', `there is no key ${JSON.stringify(wanted)}`, {
    suggestions: [near ? `did you mean "${near}"?` : 'see them all: ollamax key list'],
  })
}

function shown(key: Key, nowMs: number): ShownKey {
  const {id, name, kind, createdAtMs, expiresAtMs} = key
  return {
    id,
    name,
    kind,
    fingerprint: key.kind === 'ssh' ? fingerprintOf(key.publicKey) : null,
    createdAt: new Date(createdAtMs).toISOString(),
    expiresAt: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
    expired: expiresAtMs !== undefined && expiresAtMs <= nowMs,
    models: key.models ?? null,
    ratePerMinute: key.ratePerMinute ?? null,
    priority: key.priority ?? 'normal',
    weight: key.weight ?? 1,
    continue: key.allowContinue ?? false,
    admin: key.admin ?? false,
  }
}
