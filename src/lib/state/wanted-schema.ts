import {z} from 'zod'
import {parseModelName} from '../cluster/model-name.ts'
import {environment, labels, text, version} from './schema-parts.ts'

const modelName = text((value) =>
  parseModelName(value) ? undefined : `${JSON.stringify(value)} is no name of a model`,
)

/** What nodes of a kind should be like. A port is no part of it: that is where one node is reached. */
export const group = z
  .strictObject({
    labels: labels.describe('nodes that have all of these labels; `{}`: every node'),
    ollama: z
      .strictObject({
        version: version.optional().describe('version to have there'),
        env: environment.optional().describe('variables for the service, each by itself'),
      })
      .describe('as `nodes[].ollama`; a later group goes before an earlier one'),
  })
  .describe('nodes by their labels')

const placement = z
  .strictObject({
    labels: labels.optional().describe('only nodes that have all of these labels'),
    strategy: z
      .enum(['spread', 'pack'])
      .optional()
      .describe('`spread` (default): where most is free; `pack`: fill one node before the next'),
  })
  .describe('where its replicas may lie')

const REPLICAS = 'must be a whole number from 1 on, or all'

/** A model that should be on nodes. */
export const wantedModel = z
  .strictObject({
    name: modelName.describe('as Ollama names it, like `llama3.2:3b`; without a tag: `latest`'),
    replicas: z
      .union([z.int(REPLICAS).min(1, REPLICAS).max(10_000), z.literal('all')], {
        error: () => REPLICAS,
      })
      .optional()
      .describe('how many nodes should have it; `all`: every one that the labels allow; default 1'),
    placement: placement.optional(),
    warm: z.boolean().optional().describe('`true`: it is kept in memory on these nodes'),
    pin: z
      .boolean()
      .optional()
      .describe('`true`: kept in memory, and never unloaded or removed by ollamax'),
    context: z
      .int()
      .min(1)
      .max(2 ** 31 - 1)
      .optional()
      .describe('tokens of context that it is loaded with where it is kept in memory'),
  })
  .describe('a model and how many nodes should have it')

/** Names that requests may use -> the model that is meant. */
export const aliases = z.record(z.string(), modelName).superRefine((all, context) => {
  for (const name of Object.keys(all))
    if (!parseModelName(name))
      context.addIssue({
        code: 'custom',
        message: `${JSON.stringify(name)} cannot be an alias; it must be like a name of a model`,
        path: [name],
      })
})
