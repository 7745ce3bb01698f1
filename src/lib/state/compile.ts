import {basename} from 'node:path'
import {
  type Document,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Pair,
  parseDocument,
} from 'yaml'
import type {z} from 'zod'
import {nearest} from '../cluster/nearest.ts'
import type {Cluster} from '../cluster/node.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {nodeProblems, type Path, type Problem, valueAt, wantedProblems} from './problems.ts'
import {clusterSchema} from './schema.ts'
import {toCluster} from './to-cluster.ts'

/** A cluster file that was read: the text's syntax tree (comments included) and what it means. */
export interface Compiled {
  readonly document: Document
  readonly cluster: Cluster
}

export interface Source {
  /** The cluster's name; the file does not say it. */
  readonly name: string
  readonly text: string
  /** Where the text came from, for messages. */
  readonly file: string
}

/** Reads a cluster file. CONFIG_INVALID lists everything that is wrong with it, each with its place. */
export function compile(source: Source): Compiled {
  const lines = new LineCounter()
  const document = parseDocument(source.text, {lineCounter: lines, prettyErrors: true})
  const broken = [...document.errors, ...document.warnings]
  if (broken.length > 0) throw brokenYaml(source, broken)
  let raw: unknown
  try {
    raw = document.toJS({maxAliasCount: 100})
  } catch (error) {
    throw invalid(source, [{place: '', message: messageOf(error)}])
  }
  const parsed = clusterSchema.safeParse(raw ?? {})
  const problems = [
    ...(parsed.error?.issues ?? []).flatMap((i) => fromIssue(i, raw)),
    ...nodeProblems(raw),
    ...wantedProblems(raw),
  ]
  if (parsed.success && problems.length === 0)
    return {document, cluster: toCluster(source.name, parsed.data)}
  throw invalid(
    source,
    problems
      .map((problem) => ({
        offset: offsetOf(document, problem),
        message: `${describePath(problem.path)}${problem.message}`,
      }))
      .sort((a, b) => a.offset - b.offset)
      .map(({offset, message}) => {
        const {line, col} = lines.linePos(offset)
        return {place: `:${line}:${col}`, message}
      }),
  )
}

interface Placed {
  readonly place: string
  readonly message: string
}

function invalid(source: Source, problems: readonly Placed[], frame = ''): OllamaxError {
  const file = basename(source.file)
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  const lines = problems.map(({place, message}) => `  ${file}${place} ${message}`)
  return new OllamaxError(
    'CONFIG_INVALID',
    `${source.file} has ${count}\n${lines.join('\n')}${frame}`,
    {
      suggestions: ['mend the file by hand, then check it: ollamax config validate'],
      details: {
        file: source.file,
        problems: problems.map(({place, message}) => ({place: `${file}${place}`, message})),
      },
    },
  )
}

function brokenYaml(
  source: Source,
  errors: Document['errors'] | Document['warnings'],
): OllamaxError {
  const first = errors[0]
  // The parser's own message ends with the lines around the place, with a mark below it.
  const [, ...frame] = (first?.message ?? '').split('\n')
  const placed = errors.map((error) => {
    const at = error.linePos?.[0]
    const [what = ''] = error.message.split('\n')
    return {
      place: at ? `:${at.line}:${at.col}` : '',
      message: what.replace(/ at line \d+, column \d+:?$/, ''),
    }
  })
  return invalid(source, placed, frame.length > 0 ? `\n${frame.join('\n').trimEnd()}` : '')
}

function fromIssue(issue: z.core.$ZodIssue, raw: unknown): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path)
    return issue.keys.map((key) => {
      const near = nearest(key, known)
      return {
        path: [...issue.path, key],
        atKey: true,
        message: `is not a known key${near ? `; did you mean "${near}"?` : `; known are ${known.join(', ')}`}`,
      }
    })
  }
  const value = valueAt(raw, issue.path)
  if (value === undefined) return [{path: issue.path, message: 'is missing'}]
  if (issue.path.length === 1 && issue.path[0] === 'apiVersion')
    return [
      {
        path: issue.path,
        message: `is ${JSON.stringify(value)}; this ollamax reads only ollamax/v1`,
      },
    ]
  if (issue.code === 'invalid_type')
    return [
      {
        path: issue.path,
        message: `must be ${article(issue.expected)}, not ${kindOf(value, issue.expected === 'string')}`,
      },
    ]
  const message = issue.message.replace(/^Invalid input: e/, 'e').replace(/^Invalid option: e/, 'e')
  return [{path: issue.path, message}]
}

/** The keys that the schema knows at a path of the file. */
function knownKeys(path: Path): string[] {
  const shapeOf = (schema: unknown): unknown => {
    let inner = schema as {unwrap?: () => unknown; shape?: object; element?: unknown} | undefined
    while (inner?.unwrap && !inner.shape && !inner.element) inner = inner.unwrap() as typeof inner
    return inner
  }
  let schema = shapeOf(clusterSchema)
  for (const step of path) {
    const {shape, element} = schema as {shape?: Record<PropertyKey, unknown>; element?: unknown}
    schema = shapeOf(shape ? shape[step] : element)
  }
  return Object.keys((schema as {shape?: object} | undefined)?.shape ?? {})
}

/** Where in the text a problem lies: its key or value, or the nearest thing around it that exists. */
function offsetOf(document: Document, problem: Problem): number {
  let at: unknown = document.contents
  let offset = startOf(at)
  for (const [depth, step] of problem.path.entries()) {
    if (!isCollection(at)) break
    if (isMap(at)) {
      const pair = at.items.find((item) => keyOf(item) === String(step))
      if (!pair) break
      const last = depth === problem.path.length - 1
      offset = last && !problem.atKey ? startOf(pair.value, startOf(pair.key)) : startOf(pair.key)
      at = pair.value
    } else {
      at = at.items[Number(step)]
      offset = startOf(at, offset)
    }
  }
  return offset
}

const keyOf = (pair: Pair) => (isScalar(pair.key) ? String(pair.key.value) : String(pair.key))

function startOf(node: unknown, otherwise = 0): number {
  return (node as {range?: readonly number[] | null} | null | undefined)?.range?.[0] ?? otherwise
}

function describePath(path: Path): string {
  let text = ''
  for (const step of path)
    text += typeof step === 'number' ? `[${step}]` : `${text ? '.' : ''}${String(step)}`
  return text ? `${text} ` : ''
}

const ARTICLES: Readonly<Record<string, string>> = {
  string: 'a text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}
const article = (expected: string) => ARTICLES[expected] ?? expected

function kindOf(value: unknown, wantsText: boolean): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value === 'string') return 'a text'
  return `the ${typeof value} ${String(value)}${wantsText ? ' (put quotes around it)' : ''}`
}
