import {resolveAlias} from '../cluster/alias.ts'
import type {AnswerStats} from '../cluster/answer-stats.ts'
import {embed} from '../ollama/client.ts'
import type {EmbedRequest} from '../ollama/wire.ts'
import type {Attempt, DispatchNote} from './ask-node.ts'
import {dispatch} from './dispatch.ts'
import type {Tools} from './tools.ts'

export interface EmbedOptions {
  readonly body: EmbedRequest
  readonly node?: string | undefined
  readonly policy?: string | undefined
  readonly signal: AbortSignal
  readonly note?: (note: DispatchNote) => void
}

/** One vector for each text, in their order. */
export interface Embedded {
  readonly model: string
  readonly node: string
  readonly embeddings: readonly (readonly number[])[]
  readonly stats: AnswerStats
  readonly attempts: readonly Attempt[]
}

const CHARACTERS_PER_TOKEN = 4

/** Turns texts into vectors on the best node; failover and errors as `dispatch`. */
export async function embedTexts(
  tools: Pick<Tools, 'cluster' | 'endpoint' | 'paths'>,
  {body: asked, note, ...options}: EmbedOptions,
): Promise<Embedded> {
  const body = {...asked, model: resolveAlias(await tools.cluster(), asked.model)}
  const characters = [body.input].flat().reduce((sum, text) => sum + text.length, 0)
  const request = {
    model: body.model,
    promptTokens: Math.ceil(characters / CHARACTERS_PER_TOKEN),
    maxAnswerTokens: 1,
    needs: 'embedding',
  }
  const {value, node, attempts} = await dispatch(tools, {
    ...options,
    request,
    ...(note ? {note} : {}),
    async ask({endpoint, signal}) {
      const reply = await embed(endpoint, body, {signal, connectTimeoutMs: 5000})
      return {value: reply, sample: reply.stats}
    },
  })
  return {model: body.model, node, attempts, ...value}
}
