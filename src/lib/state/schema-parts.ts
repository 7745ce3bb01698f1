import {z} from 'zod'
import {labelProblem, variableProblem} from '../cluster/names.ts'
import {parseDuration} from '../cluster/size.ts'
import {messageOf} from '../errors.ts'

/** Pieces that several parts of the cluster file's schema are made of. */

/** A string that `problem` finds nothing wrong with. */
export const text = (problem: (value: string) => string | undefined) =>
  z.string().superRefine((value, context) => {
    const message = problem(value)
    if (message !== undefined) context.addIssue({code: 'custom', message})
  })

/** A number or true/false is what YAML makes of an unquoted word; the text is what was meant. */
const word = z.union([z.string(), z.number(), z.boolean()], {
  error: () => 'must be a text',
})

/** Variables for the service of Ollama; no secrets. */
export const environment = z.record(z.string(), word).superRefine((all, context) => {
  for (const [name, value] of Object.entries(all)) {
    const message = variableProblem(name, String(value))
    if (message !== undefined) context.addIssue({code: 'custom', message, path: [name]})
  }
})

/** Free `key: value` pairs. */
export const labels = z.record(z.string(), word).superRefine((all, context) => {
  for (const [key, value] of Object.entries(all)) {
    const message = labelProblem(key, String(value))
    if (message !== undefined) context.addIssue({code: 'custom', message, path: [key]})
  }
})

/** A version of Ollama. */
export const version = text((value) =>
  /^\d+\.\d+\.\d+(?:-[A-Za-z0-9.]+)?$/.test(value) ? undefined : 'must be like 0.33.0',
)

/** Like `30s`. */
export const duration = text((value) => {
  try {
    parseDuration(value)
    return undefined
  } catch (error) {
    return `${messageOf(error)}; write it like 500ms, 30s, 5m or 1h30m`
  }
})
