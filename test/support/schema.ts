import {readFileSync} from 'node:fs'
import {Ajv} from 'ajv'

/** Throws unless `value` is what docs/schemas/<id>.json promises that the command prints with --json. */
export function checkSchema(id: string, value: unknown): void {
  const schema = JSON.parse(
    readFileSync(new URL(`../../docs/schemas/${id}.json`, import.meta.url), 'utf8'),
  )
  const ajv = new Ajv({allErrors: true, strict: false})
  if (!ajv.validate(schema, value)) {
    throw new Error(`${id}: ${ajv.errorsText()}\n${JSON.stringify(value, null, 2)}`)
  }
}
