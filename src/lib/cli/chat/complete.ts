import {readdirSync} from 'node:fs'
import {join} from 'node:path'
import {fileOf} from './attach.ts'
import {CHAT_COMMANDS} from './commands.ts'

/** Where candidates come from that are not known at once. */
export interface Sources {
  models(): Promise<readonly string[]>
  saved(): readonly string[]
}

/** What could stand at the end of a text, in place of what stands from `from` on. */
export interface Found {
  readonly from: number
  readonly candidates: readonly string[]
}

/** Options that every Ollama knows; others can be set all the same. */
const OPTIONS = [
  'num_ctx',
  'num_gpu',
  'num_keep',
  'num_predict',
  'num_thread',
  'presence_penalty',
  'frequency_penalty',
  'min_p',
  'repeat_last_n',
  'repeat_penalty',
  'seed',
  'stop',
  'temperature',
  'top_k',
  'top_p',
  'typical_p',
]
const MOST = 200

/** Commands, then by command: models of the fleet, options, saved conversations, paths; in a text: paths. */
export async function completionsOf(before: string, sources: Sources): Promise<Found> {
  const command = /^\/(\S*)$/.exec(before)
  if (command && !before.slice(1).includes('/'))
    return among(
      0,
      before,
      Object.keys(CHAT_COMMANDS).map((name) => `/${name} `),
    )
  const [, head = '', name = '', rest = ''] = /^(\/([a-z]+)\s+)([\s\S]*)$/.exec(before) ?? []
  if (!Object.hasOwn(CHAT_COMMANDS, name)) return paths(before, lastWord(before), true)
  switch (CHAT_COMMANDS[name as keyof typeof CHAT_COMMANDS].argument) {
    case 'model':
      return among(head.length, rest, await sources.models())
    case 'option':
      return among(
        head.length,
        rest,
        OPTIONS.map((option) => `${option} `),
      )
    case 'saved':
      return rest.includes('/')
        ? paths(before, head.length)
        : among(head.length, rest, sources.saved())
    case 'path':
      return paths(before, head.length)
    default:
      return {from: before.length, candidates: []}
  }
}

function among(from: number, begun: string, all: readonly string[]): Found {
  const candidates = all.filter((one) => one.toLowerCase().startsWith(begun.toLowerCase()))
  return {from, candidates: candidates.slice(0, MOST)}
}

/** Where the last word begins; a space behind a backslash belongs to it. */
const lastWord = (text: string) => text.length - (/(?:\\.|\S)*$/.exec(text)?.[0].length ?? 0)

function paths(before: string, from: number, onlyClear = false): Found {
  const word = before.slice(from)
  const none = {from, candidates: []}
  if (onlyClear && !/^(~\/|\.{0,2}\/)/.test(word)) return none
  const slash = word.lastIndexOf('/') + 1
  const folder = word.slice(0, slash)
  const begun = word.slice(slash).replace(/\\(.)/g, '$1')
  try {
    const entries = readdirSync(folder === '' ? '.' : fileOf(join(folder, '.')), {
      withFileTypes: true,
    })
    const candidates = entries
      .filter(
        (entry) => entry.name.startsWith(begun) && (begun !== '' || !entry.name.startsWith('.')),
      )
      .map(
        (entry) =>
          `${folder}${entry.name.replace(/([\s\\"'])/g, '\\$1')}${entry.isDirectory() ? '/' : ''}`,
      )
      .sort()
    return {from, candidates: candidates.slice(0, MOST)}
  } catch {
    return none
  }
}
