import {z} from 'zod'
import type {Key} from '../auth/key.ts'
import {publicKeyOf} from '../auth/ssh-key.ts'
import {parseModelPattern} from '../cluster/model-pattern.ts'
import {nameProblem} from '../cluster/names.ts'
import {PRIORITIES} from '../cluster/priority.ts'

/** The latest moment that a Date can be. */
const LATEST_MS = 8.64e15

const moment = z.number().min(0).max(LATEST_MS)

const common = {
  id: z.string().regex(/^[0-9a-f]{12}$/, 'must be 12 hex digits'),
  name: z.string().refine((name) => nameProblem(name) === undefined, 'cannot be a name'),
  createdAtMs: moment,
  expiresAtMs: moment.optional(),
  models: z
    .array(
      z
        .string()
        .refine((text) => parseModelPattern(text) !== undefined, 'is no name or glob of models'),
    )
    .min(1)
    .optional(),
  ratePerMinute: z.number().positive().optional(),
  weight: z.number().positive().max(1000).optional(),
  priority: z.enum(PRIORITIES).optional(),
  allowContinue: z.boolean().optional(),
  admin: z.boolean().optional(),
}

// Strict: a field that we do not know may be a limit that we would not keep.
const token = z.strictObject({
  kind: z.literal('token'),
  ...common,
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hex'),
})
const ssh = z.strictObject({
  kind: z.literal('ssh'),
  ...common,
  publicKey: z
    .string()
    .refine((text) => publicKeyOf(text) !== undefined, 'is no ssh-ed25519 public key'),
})

const keysSchema = z.array(z.discriminatedUnion('kind', [token, ssh]))

/** The keys of a file's `keys`, or what is wrong with the first that is wrong. Two that could be confused are wrong. */
export function parseKeys(raw: unknown): readonly Key[] | string {
  const parsed = keysSchema.safeParse(raw)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const place = (issue?.path ?? []).map((part) =>
      typeof part === 'number' ? `[${part}]` : `.${String(part)}`,
    )
    return `keys${place.join('')}: ${issue?.message ?? 'unknown'}`
  }
  // zod says "| undefined" of what is absent; it leaves absent what is absent.
  const keys = parsed.data as readonly Key[]
  const seen = new Set<string>()
  for (const key of keys) {
    const secret = key.kind === 'token' ? key.hash : key.publicKey
    // A name must not be another's id either: `key revoke` takes both.
    for (const mark of new Set([key.id, key.name, secret])) {
      if (seen.has(mark)) return `two keys share ${mark === secret ? 'a secret' : `"${mark}"`}`
      seen.add(mark)
    }
  }
  return keys
}
