import {z} from 'zod'
import {PRIORITIES} from '../cluster/priority.ts'
import {RECORDING_VERSION, type RecordedRequest, type Recording} from '../cluster/recording.ts'
import {OllamaxError} from '../errors.ts'

const amount = z.number().min(0).max(1e15)
const speed = z.number().positive().max(1e9)
const name = z.string().max(1024)
/** What ISO says, and nothing else that a Date would take. */
const time = z.iso.datetime()

const replica = z.object({
  model: name,
  sizeBytes: amount,
  loaded: z.boolean(),
  contextLength: z.int().positive().exactOptional(),
  slots: z.int().positive().max(10_000),
  slotsGiven: z.boolean(),
  crowding: z.number().min(0).max(1),
  promptTps: speed.exactOptional(),
  answerTps: speed.exactOptional(),
  answerTokens: amount.exactOptional(),
  loadMs: amount.exactOptional(),
  serviceMs: amount.exactOptional(),
})

const node = z.object({
  node: name,
  drained: z.boolean(),
  latencyMs: amount,
  weight: z.number().positive().exactOptional(),
  tier: z.number().exactOptional(),
  fitsBytes: amount,
  tooMuchBytes: amount.exactOptional(),
  mostLoaded: z.int().positive(),
  replicas: z.array(replica),
})

const request = z.object({
  id: name,
  at: time,
  route: name,
  model: name,
  node: name.nullable(),
  reason: name.nullable(),
  attempts: amount,
  queueMs: amount,
  firstByteMs: amount.nullable(),
  totalMs: amount,
  promptTokens: amount.nullable(),
  answerTokens: amount.nullable(),
  status: amount,
  outcome: name,
  asked: z.object({
    key: name,
    priority: z.enum(PRIORITIES),
    weight: z.number().positive(),
    session: name.nullable(),
    promptTokens: amount,
    maxAnswerTokens: z.number().nullable(),
    numCtx: z.int().positive().nullable(),
    needs: name.nullable(),
    only: name.nullable(),
    streams: z.boolean(),
    canSetNumCtx: z.boolean(),
    prefix: z.array(z.number()).max(1024),
    blockTokens: z.number().positive(),
  }),
})

const head = z.object({
  version: z.literal(RECORDING_VERSION, {
    error: () =>
      `must be ${RECORDING_VERSION}, the only form of recordings that this version reads`,
  }),
  at: time,
  policy: name,
  nodes: z.array(node),
})

/** A recording that a gateway has told. BAD_INPUT for what is none of this version. */
export function checkRecording(value: unknown): Recording {
  return checked(head.extend({requests: z.array(request)}), value, 'the recording')
}

/** Reads what `recordingLines` wrote. BAD_INPUT that says which line is wrong, and how. */
export function parseRecording(text: string): Recording {
  const lines = text.split('\n').map((line, at) => ({line, where: `line ${at + 1}`}))
  const [first, ...rest] = lines.filter(({line}) => line.trim() !== '')
  if (!first) throw bad('it is empty')
  const requests: RecordedRequest[] = rest.map(({line, where}) =>
    checked(request, parsed(line, where), where),
  )
  return {...checked(head, parsed(first.line, first.where), first.where), requests}
}

function parsed(line: string, where: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw bad(`${where} is no JSON`)
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const {success, data, error} = schema.safeParse(value)
  if (success) return data
  const [issue] = error.issues
  throw bad(`${where}: ${issue?.path.join('.') || 'it'}: ${issue?.message}`)
}

const bad = (words: string) =>
  new OllamaxError('BAD_INPUT', `this is no recording: ${words}`, {
    suggestions: ['ollamax route export > FILE writes one'],
  })
