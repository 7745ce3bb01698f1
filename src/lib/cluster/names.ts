import {OllamaxError} from '../errors.ts'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const LABEL_KEY = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/
const LABEL_VALUE = /^[A-Za-z0-9._:@/+-]{0,63}$/

const RULE = 'use letters, digits, ".", "_" and "-", beginning with a letter or digit, at most 63'

/** What is wrong with a node's or cluster's name; undefined: nothing. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return `a name is empty; ${RULE}`
  if (name.length > 63) return `a name has ${name.length} characters; ${RULE}`
  return NAME.test(name) ? undefined : `${JSON.stringify(name)} cannot be a name; ${RULE}`
}

/** Returns the name of a node if it may be one; BAD_INPUT otherwise. */
export function checkNodeName(name: string): string {
  return checked(name, 'node')
}

/** Returns the name of a cluster if it may be one (it becomes a file name); BAD_INPUT otherwise. */
export function checkClusterName(name: string): string {
  return checked(name, 'cluster')
}

/** What is wrong with a label; undefined: nothing. */
export function labelProblem(key: string, value: string): string | undefined {
  if (!LABEL_KEY.test(key))
    return `${JSON.stringify(key)} cannot be a label's key; use letters, digits, ".", "_", "-" and "/", at most 63`
  if (!LABEL_VALUE.test(value))
    return `${JSON.stringify(value)} cannot be a label's value; use letters, digits and "._:@/+-", at most 63`
  return undefined
}

const SECRET_VARIABLE = /KEY|TOKEN|SECRET|PASSWORD|PASSWD/

/** What is wrong with a variable for a node's Ollama; undefined: nothing. */
export function variableProblem(name: string, value: string): string | undefined {
  if (!/^[A-Z][A-Z0-9_]*$/.test(name))
    return 'is no variable name; use capitals, digits and "_", beginning with a capital'
  if (name === 'OLLAMA_HOST')
    return 'is set by ollamax (loopback only); use "port" for another port'
  if (/\p{Cc}/u.test(value)) return 'must hold no line breaks or control characters'
  if (SECRET_VARIABLE.test(name) || /^[a-z]+:\/\/[^/\s]*:[^/\s]*@/i.test(value))
    return 'looks like a secret, and secrets do not belong into this file'
  return undefined
}

function checked(name: string, what: string): string {
  const problem = nameProblem(name)
  if (problem === undefined) return name
  const near = name
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .replace(/-+$/, '')
    .slice(0, 63)
  throw new OllamaxError('BAD_INPUT', `bad ${what} name: ${problem}`, {
    suggestions: near && near !== name ? [`for example ${near}`] : [],
  })
}
