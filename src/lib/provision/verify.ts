import type {Reporter} from '../cluster/report.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import type {Remote} from '../ssh/remote.ts'
import type {Facts} from './facts.ts'
import type {Plan} from './plan-value.ts'
import type {Root} from './privilege.ts'
import {awaitVersion, getJson} from './probe.ts'
import {atBoot, isService, survive, whyDown} from './service-check.ts'
import {smallestModel} from './smoke.ts'

export interface VerifyOptions {
  readonly plan: Plan
  readonly facts: Facts
  /** Version that was asked for; another one is a failure. */
  readonly version?: string | undefined
  readonly root?: Root | undefined
  readonly subject: string
  readonly report: Reporter
  readonly signal: AbortSignal
}

/** What a host that was made a node does. */
export interface Verified {
  readonly version: string
  /** True: it was killed and came back; absent: not tried. */
  readonly survivesKill?: boolean
  readonly survivesReboot: boolean | 'unknown'
  /** One token of a model that is there; absent: it has none. */
  readonly inference?: {
    readonly model: string
    /** Part of the model in GPU memory, 0 to 1. */
    readonly gpuShare: number | 'unknown'
  }
  readonly warnings: readonly string[]
}

/**
 * Asks the node through the connection whether it works as it was wanted. VERIFY_FAILED if it does not
 * answer, has another version, or does not come back after a kill (tried only where nobody used it yet).
 */
export async function verify(remote: Remote, options: VerifyOptions): Promise<Verified> {
  const {plan, subject, report, signal} = options
  report({kind: 'start', subject, step: 'verify'})
  const startMs = Date.now()
  const first = await answers(remote, options)
  const killed = plan.fresh && isService(plan)
  const {version, seen} = killed
    ? await survive(remote, options)
    : {version: first, seen: undefined}
  const {survivesReboot, notes} = await atBoot(remote, options, seen)
  const warnings = [...notes]
  if (options.version !== undefined && version !== options.version)
    throw new OllamaxError(
      'VERIFY_FAILED',
      `${subject}: Ollama ${version} answers there, and ${options.version} was wanted`,
      {
        suggestions: [
          'Give an archive of the version that --ollama-version names, or leave that out',
        ],
      },
    )
  const inference = await tryOne(remote, options).catch((error: unknown) => {
    if (signal.aborted) throw error
    warnings.push(`a first token could not be had: ${messageOf(error)}`)
    return undefined
  })
  const gpus = options.facts.gpus === 'unknown' ? [] : options.facts.gpus
  if (inference?.gpuShare === 0 && gpus.length > 0)
    warnings.push(
      `it has a GPU (${gpus.map((gpu) => gpu.name).join(', ')}), and ${inference.model} was answered by the CPU`,
    )
  report({kind: 'done', subject, step: 'verify', ms: Date.now() - startMs})
  return {
    version,
    ...(killed ? {survivesKill: true} : {}),
    survivesReboot,
    ...(inference ? {inference} : {}),
    warnings,
  }
}

/** Waits until Ollama answers; if it does not, says what the service manager knows. */
async function answers(remote: Remote, options: VerifyOptions): Promise<string> {
  const {plan, subject, signal} = options
  const version = await awaitVersion(remote, {port: plan.port, timeoutMs: 30_000, signal})
  if (version !== undefined) return version
  throw new OllamaxError(
    'VERIFY_FAILED',
    `${subject}: Ollama does not answer on port ${plan.port} there. ${await whyDown(remote, options)}`.trim(),
    {suggestions: ['See more: ollamax doctor', 'Running the same command again is safe']},
  )
}

interface Model {
  readonly name: string
  readonly size?: number
  readonly size_vram?: number
}

/** One token of the smallest model that is there. */
async function tryOne(remote: Remote, options: VerifyOptions): Promise<Verified['inference']> {
  const ask = (path: string, timeoutMs: number, body?: unknown) =>
    getJson(remote, {
      port: options.plan.port,
      path,
      timeoutMs,
      signal: options.signal,
      ...(body === undefined ? {} : {body}),
    })
  const {plan, subject, report, signal} = options
  const model = await smallestModel(remote, {port: plan.port, signal})
  if (model === undefined) return undefined
  report({kind: 'note', subject, text: `asks ${model} for one token`})
  await ask('/api/generate', 300_000, {
    model,
    prompt: 'Hi',
    stream: false,
    options: {num_predict: 1},
  })
  const ps = (await ask('/api/ps', 10_000)) as {models?: Model[]}
  const loaded = ps.models?.find((it) => it.name === model)
  const gpuShare = loaded?.size ? (loaded.size_vram ?? 0) / loaded.size : 'unknown'
  return {model, gpuShare}
}
