import {type Agent, request as sendHttp} from 'node:http'

/** How a request ended for its client. `told`: an error in words. `broken`: a connection that ended without a word. */
export type Ending = 'answered' | 'told' | 'broken' | 'left'

/** What a client got. */
export interface Got {
  readonly ending: Ending
  /** 0: no head came. */
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly firstByteMs: number | undefined
  readonly totalMs: number
}

/** A request under way. */
export interface Asked {
  readonly done: Promise<Got>
  /** Resolves with the first byte of the body, or the end. */
  readonly first: Promise<void>
  /** A byte of the body has come. */
  begun(): boolean
  leave(): void
}

export interface AskOptions {
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Agent
}

/** Sends one request and reads all of its answer. Never rejects: what went wrong is the ending. */
export function ask(base: string, body: unknown, options: AskOptions = {}): Asked {
  const {path = '/api/chat', method = 'POST', headers = {}, agent} = options
  const sentMs = performance.now()
  const first = Promise.withResolvers<void>()
  const done = Promise.withResolvers<Got>()
  const chunks: Buffer[] = []
  let firstByteMs: number | undefined
  let status = 0
  let gotHeaders: Got['headers'] = {}
  let left = false
  const over = (whole: boolean) => {
    const text = Buffer.concat(chunks).toString('utf8')
    const ending = left ? 'left' : endingOf({whole, status, text})
    first.resolve()
    const totalMs = performance.now() - sentMs
    done.resolve({ending, status, headers: gotHeaders, text, firstByteMs, totalMs})
  }
  const sent = sendHttp(`${base}${path}`, {method, headers, agent: agent ?? false}, (reply) => {
    status = reply.statusCode ?? 0
    gotHeaders = reply.headers
    reply.on('data', (chunk: Buffer) => {
      firstByteMs ??= performance.now() - sentMs
      first.resolve()
      chunks.push(chunk)
    })
    reply.once('close', () => over(reply.complete))
    reply.on('error', () => {})
  })
  sent.on('error', () => over(false))
  sent.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))
  return {
    done: done.promise,
    first: first.promise,
    begun: () => firstByteMs !== undefined,
    leave() {
      left = true
      sent.destroy()
    },
  }
}

function endingOf(got: {whole: boolean; status: number; text: string}): Ending {
  const {whole, status, text} = got
  const last = text.trimEnd().split('\n').at(-1) ?? ''
  if (/^(data: )?\{"(type":"error",")?error"/.test(last)) return 'told'
  if (!whole) return 'broken'
  return status >= 200 && status < 300 ? 'answered' : 'told'
}

/** Sends that many, at most so many at once; `each` is called with every answer as it comes. */
export async function askMany(
  count: number,
  atOnce: number,
  one: (at: number) => Asked,
  each: (got: Got, at: number) => void = () => {},
): Promise<readonly Got[]> {
  const all: Got[] = []
  let next = 0
  const worker = async () => {
    for (let at = next++; at < count; at = next++) {
      const got = await one(at).done
      all[at] = got
      each(got, at)
    }
  }
  await Promise.all(Array.from({length: atOnce}, worker))
  return all
}

/** What became of many requests. */
export interface Figures {
  readonly sent: number
  readonly answered: number
  /** Attempts beyond the first of each. */
  readonly retried: number
  /** Told an error, or broken off without a word. */
  readonly failed: number
}

/** Counts, and prints the figures as one line that any log can hold. */
export function figures(fault: string, all: readonly Got[], more: object = {}): Figures {
  const of = (ending: Ending) => all.filter((got) => got.ending === ending).length
  const retried = all.reduce((sum, {headers}) => {
    const attempts = Number(headers['x-ollamax-attempts'] ?? 1)
    return sum + Math.max(0, attempts - 1)
  }, 0)
  const [answered, told, broken, left] = [of('answered'), of('told'), of('broken'), of('left')]
  const counts = {sent: all.length, answered, retried, failed: told + broken}
  say(fault, {...counts, ...(broken > 0 ? {broken} : {}), ...(left > 0 ? {left} : {}), ...more})
  return counts
}

/** Prints one line of figures. */
export function say(fault: string, values: object): void {
  const words = Object.entries(values).map(([name, value]) => {
    const shown = typeof value === 'number' ? Math.round(value * 10) / 10 : value
    return `${name} ${shown}`
  })
  console.log(`${fault}: ${words.join(', ')}`)
}

/** The value below which that share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
