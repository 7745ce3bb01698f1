/** A process that holds a model. */
export interface Runner {
  readonly pid: number
  readonly parent: number
  /** Name of the parent's program. */
  readonly parentName: string
  readonly residentBytes: number
}

type Keeper = 'system' | 'user' | 'supervised' | 'launchd'
const KEEPERS: readonly Keeper[] = ['system', 'user', 'supervised', 'launchd']

/** How Ollama is on a host, as VITALS saw it; what could not be seen is absent. */
export interface Vitals {
  /** What keeps it running; absent: nothing that we know. */
  readonly keeper?: Keeper
  /** Properties of the unit, as systemd names them. */
  readonly unit: Readonly<Record<string, string>>
  /** Only where our supervisor is the keeper. */
  readonly supervisorRuns: boolean
  /** False: the account may not read the log, so its silence means nothing. */
  readonly journalRead: boolean
  /** The last lines of the log that tell of an error, of the last hour. */
  readonly errors: readonly string[]
  /** What the kernel said: processes killed for memory, GPU faults. */
  readonly kernel: readonly string[]
  /** The line of the log in which Ollama says what it computes with. */
  readonly compute?: string
  readonly availableBytes?: number
  readonly runners: readonly Runner[]
}

/** Reads what VITALS printed; undefined if it is not whole. */
export function readVitals(output: string): Vitals | undefined {
  const lines = output.split('\n')
  if (!lines.includes('end=1')) return undefined
  const all = (key: string) =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1))
  const scope = all('scope')[0]
  const keeper = KEEPERS.find((it) => it === scope?.replace(/^--/, ''))
  const compute = all('compute')[0]
  const available = Number(all('available')[0] ?? Number.NaN)
  return {
    ...(keeper === undefined ? {} : {keeper}),
    unit: Object.fromEntries(
      lines
        .filter((line) => line.startsWith('unit.'))
        .map((line) => [line.slice(5, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    ),
    supervisorRuns: all('supervisor')[0] === '1',
    journalRead: all('journal_read')[0] === '1',
    errors: all('journal'),
    kernel: all('kernel'),
    ...(compute === undefined ? {} : {compute}),
    ...(Number.isFinite(available) ? {availableBytes: available * 1024} : {}),
    runners: all('runner').flatMap(readRunner),
  }
}

function readRunner(text: string): Runner[] {
  const [pid, parent, parentName = '', resident] = text.split(' ')
  const numbers = [pid, parent].map(Number)
  if (numbers.some((n) => !Number.isInteger(n) || n <= 0)) return []
  const [pidNumber = 0, parentNumber = 0] = numbers
  const residentBytes = (Number(resident) || 0) * 1024
  return [{pid: pidNumber, parent: parentNumber, parentName, residentBytes}]
}

/** True for a runner whose server is gone: it holds its memory for ever. */
export function isOrphan({parent, parentName}: Runner): boolean {
  return parent === 1 || parentName === 'systemd'
}
