import {z} from 'zod'
import {HOOKS} from '../cluster/node.ts'
import {duration, text} from './schema-parts.ts'

const program = text((value) =>
  value.startsWith('/') && !value.includes('\0')
    ? undefined
    : 'must be the absolute path of a program',
)

const MEANINGS: Readonly<Record<(typeof HOOKS)[number], string>> = {
  'before-add': 'before a machine is made a node; if it fails, the machine is not touched',
  'after-add': 'when a machine has become a node',
  'before-upgrade':
    'before a node gets another version or environment; if it fails, the node is left as it is',
  'after-upgrade': 'when a node has another version or environment, and takes requests',
  'before-drain': 'before a node takes no new requests; if it fails, it goes on taking them',
  'after-drain': 'when a node takes no new requests; in an upgrade: and none runs there any more',
}

const hook = z.strictObject({
  run: z
    .tuple([program], z.string())
    .describe('the program and its arguments, as they are: no shell is between'),
  timeout: duration.optional().describe('longest time that it may take; default `1m`'),
})

/** Programs of the operator's, by the moment at which they are run. */
export const hooks = z.strictObject(
  Object.fromEntries(
    HOOKS.map((name) => [name, hook.optional().describe(MEANINGS[name])]),
  ) as Record<(typeof HOOKS)[number], z.ZodOptional<typeof hook>>,
)
