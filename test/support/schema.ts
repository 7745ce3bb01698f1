import {existsSync, readFileSync} from 'node:fs'
import {Ajv} from 'ajv'

/** Throws unless `value` is what docs/schemas/<id>.json promises that the command prints with --json. */
export function checkSchema(id: string, value: unknown): void {
  const schema = JSON.parse(readFileSync(fileOf(id), 'utf8'))
  const ajv = new Ajv({allErrors: true, strict: false})
  if (!ajv.validate(schema, value)) {
    throw new Error(`${id}: ${ajv.errorsText()}\n${JSON.stringify(value, null, 2)}`)
  }
}

/** Throws unless a command that was run with --json printed one JSON value as its schema promises. */
export function checkJson(args: readonly string[], stdout: string): void {
  const end = args.indexOf('--')
  if (!(end < 0 ? args : args.slice(0, end)).includes('--json')) return
  const id = [2, 1]
    .map((words) => args.slice(0, words).join('-'))
    .find((it) => existsSync(fileOf(it)))
  if (id !== undefined) checkSchema(id, JSON.parse(stdout))
}

const fileOf = (id: string): URL => new URL(`../../docs/schemas/${id}.json`, import.meta.url)
