import type {EDITS} from './editor.ts'

/** Where a key means something. */
export type Place = 'input' | 'search'

export type ActionName =
  | keyof typeof EDITS
  | 'send'
  | 'complete'
  | 'older'
  | 'newer'
  | 'search'
  | 'interrupt'
  | 'leave'
  | 'dismiss'
  | 'searchOlder'
  | 'searchTake'
  | 'searchStop'
  | 'searchShorter'

interface Binding {
  readonly place: Place
  readonly keys: readonly string[]
  readonly action: ActionName
  readonly about: string
  /** A word or two for the line below the input. */
  readonly short?: string
}

/** Every key of the chat: what it does, what the help says of it, what the documentation says of it. */
export const KEYMAP: readonly Binding[] = [
  {
    place: 'input',
    keys: ['enter'],
    action: 'send',
    about: 'send; behind a \\, or inside """, begin a new line',
    short: 'send',
  },
  {
    place: 'input',
    keys: ['alt+enter', 'ctrl+j'],
    action: 'newline',
    about: 'begin a new line',
    short: 'new line',
  },
  {
    place: 'input',
    keys: ['tab'],
    action: 'complete',
    about: 'complete a command, a model or a path; again: the next one',
    short: 'complete',
  },
  {
    place: 'input',
    keys: ['up', 'ctrl+p'],
    action: 'older',
    about: 'line above, then what was said before',
  },
  {
    place: 'input',
    keys: ['down', 'ctrl+n'],
    action: 'newer',
    about: 'line below, then what was said after it',
  },
  {
    place: 'input',
    keys: ['ctrl+r'],
    action: 'search',
    about: 'search what was said before',
    short: 'search',
  },
  {
    place: 'input',
    keys: ['ctrl+c'],
    action: 'interrupt',
    about: 'end the answer that is being written, or empty the line; twice on an empty line: leave',
  },
  {
    place: 'input',
    keys: ['ctrl+d'],
    action: 'leave',
    about: 'leave, on an empty line; else delete what is below the cursor',
  },
  {
    place: 'input',
    keys: ['escape'],
    action: 'dismiss',
    about: 'close the list of completions; stop editing the last question',
  },
  {place: 'input', keys: ['left', 'ctrl+b'], action: 'left', about: 'one character to the left'},
  {place: 'input', keys: ['right', 'ctrl+f'], action: 'right', about: 'one character to the right'},
  {
    place: 'input',
    keys: ['alt+b', 'ctrl+left', 'alt+left'],
    action: 'wordLeft',
    about: 'one word to the left',
  },
  {
    place: 'input',
    keys: ['alt+f', 'ctrl+right', 'alt+right'],
    action: 'wordRight',
    about: 'one word to the right',
  },
  {
    place: 'input',
    keys: ['ctrl+a', 'home'],
    action: 'lineStart',
    about: 'to the beginning of the line',
  },
  {place: 'input', keys: ['ctrl+e', 'end'], action: 'lineEnd', about: 'to the end of the line'},
  {
    place: 'input',
    keys: ['backspace', 'ctrl+h'],
    action: 'backspace',
    about: 'delete the character before the cursor',
  },
  {
    place: 'input',
    keys: ['delete'],
    action: 'delete',
    about: 'delete the character below the cursor',
  },
  {
    place: 'input',
    keys: ['ctrl+w', 'alt+backspace'],
    action: 'cutWord',
    about: 'cut the word before the cursor',
  },
  {
    place: 'input',
    keys: ['alt+d'],
    action: 'cutWordRight',
    about: 'cut the word behind the cursor',
  },
  {
    place: 'input',
    keys: ['ctrl+u'],
    action: 'cutToStart',
    about: 'cut all before the cursor in its line',
  },
  {
    place: 'input',
    keys: ['ctrl+k'],
    action: 'cutToEnd',
    about: 'cut all behind the cursor in its line',
  },
  {place: 'input', keys: ['ctrl+y'], action: 'yank', about: 'put back what was cut last'},
  {
    place: 'search',
    keys: ['ctrl+r', 'up'],
    action: 'searchOlder',
    about: 'an older one',
    short: 'older',
  },
  {
    place: 'search',
    keys: ['enter', 'tab', 'right'],
    action: 'searchTake',
    about: 'take it into the line',
    short: 'take it',
  },
  {
    place: 'search',
    keys: ['escape', 'ctrl+g', 'ctrl+c'],
    action: 'searchStop',
    about: 'back to the line as it was',
    short: 'back',
  },
  {
    place: 'search',
    keys: ['backspace', 'ctrl+h'],
    action: 'searchShorter',
    about: 'one character less to search for',
  },
]

const ACTIONS: ReadonlyMap<string, ActionName> = new Map(
  KEYMAP.flatMap(({place, keys, action}) =>
    keys.map((key) => [`${place} ${key}`, action] as const),
  ),
)

/** What a key does at a place; undefined: nothing. */
export const actionOf = (place: Place, key: string): ActionName | undefined =>
  ACTIONS.get(`${place} ${key}`)

const nameOf = (key: string) =>
  key
    .split('+')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('-')

/** The keys that have a short word, as one line. */
export function hintLine(place: Place): string {
  return KEYMAP.filter((row) => row.place === place && row.short !== undefined)
    .map(({keys, short}) => `${nameOf(keys[0] ?? '')} ${short}`)
    .join(' · ')
}

/** All keys of a place: their names, and what they do. */
export function keyRows(place: Place): Array<readonly [keys: string, about: string]> {
  return KEYMAP.filter((row) => row.place === place).map(({keys, about}) => [
    keys.map(nameOf).join(', '),
    about,
  ])
}
