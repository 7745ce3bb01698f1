import {readFileSync, statSync} from 'node:fs'
import {homedir} from 'node:os'
import {basename, extname, join, resolve} from 'node:path'
import {roundSize} from '../../cluster/size.ts'
import {messageOf, OllamaxError} from '../../errors.ts'

/** A picture that goes with a question. */
export interface Picture {
  readonly name: string
  readonly bytes: number
  readonly base64: string
}

const MOST_PICTURE = 20 * 2 ** 20
const MOST_TEXT = 256 * 1024
/** A path in a text: between quotes, or with its spaces escaped, as terminals write one that is dropped on them. */
const PICTURE_PATH =
  /"([^"\n]+\.(?:png|jpe?g|webp))"|'([^'\n]+\.(?:png|jpe?g|webp))'|((?:~\/|\.{0,2}\/)(?:\\.|[^\s\\"'])*\.(?:png|jpe?g|webp))(?=$|\s)/gi

/** The file that a path at the prompt means. */
export function fileOf(path: string): string {
  const plain = path.replace(/^(["'])([\s\S]*)\1$/, '$2').replace(/\\(.)/g, '$1')
  return resolve(plain.startsWith('~/') ? join(homedir(), plain.slice(2)) : plain)
}

/** Pictures whose paths stand in a text and are there, and the text without these paths. */
export function picturesIn(text: string): {readonly paths: string[]; readonly text: string} {
  const paths: string[] = []
  const rest = text.replace(PICTURE_PATH, (whole, ...groups: Array<string | undefined>) => {
    const path = groups.slice(0, 3).find((one) => one !== undefined) ?? ''
    if (!statSync(fileOf(path), {throwIfNoEntry: false})?.isFile()) return whole
    paths.push(path)
    return ''
  })
  return {paths, text: paths.length > 0 ? rest.replace(/[ \t]{2,}/g, ' ').trim() : text}
}

/** BAD_INPUT if it cannot be read, is too large or is no picture that models take. */
export function readPicture(path: string): Picture {
  const bytes = readBounded(path, MOST_PICTURE)
  if (!isPicture(bytes))
    throw new OllamaxError('BAD_INPUT', `${path} is no PNG, JPEG or WebP picture`, {
      suggestions: ['/file PATH for a text'],
    })
  return {name: basename(fileOf(path)), bytes: bytes.length, base64: bytes.toString('base64')}
}

function isPicture(bytes: Buffer): boolean {
  const head = bytes.toString('latin1', 0, 12)
  return (
    head.startsWith('\u0089PNG') ||
    head.startsWith('\u00ff\u00d8\u00ff') ||
    /^RIFF[\s\S]{4}WEBP/.test(head)
  )
}

/** A text file as a part of a question. BAD_INPUT if it cannot be read, is too large or is no text. */
export function readTextFile(path: string): {readonly name: string; readonly text: string} {
  const bytes = readBounded(path, MOST_TEXT)
  const name = basename(fileOf(path))
  let text: string
  try {
    text = new TextDecoder('utf-8', {fatal: true}).decode(bytes)
  } catch (cause) {
    throw noText(path, cause)
  }
  if (text.includes('\u0000')) throw noText(path)
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  const end = text.endsWith('\n') ? '' : '\n'
  return {name, text: `${name}:\n${fence}${extname(name).slice(1)}\n${text}${end}${fence}`}
}

const noText = (path: string, cause?: unknown) =>
  new OllamaxError('BAD_INPUT', `${path} is no text`, {
    cause,
    suggestions: ['/image PATH for a picture'],
  })

function readBounded(path: string, most: number): Buffer {
  const file = fileOf(path)
  let bytes: Buffer
  try {
    const stat = statSync(file)
    // A pipe or a device may never end.
    if (!stat.isFile()) throw new Error('it is no file')
    if (stat.size > most)
      throw new Error(`it has ${roundSize(stat.size)}, and ${roundSize(most)} is the most`)
    bytes = readFileSync(file)
  } catch (error) {
    throw new OllamaxError('BAD_INPUT', `${path} cannot be taken: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return bytes
}
