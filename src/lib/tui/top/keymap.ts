import type {Place, TopState} from './state.ts'
import {placeIn} from './state.ts'

/** What a key can do. */
export type Act =
  | 'command'
  | 'filter'
  | 'help'
  | 'quit'
  | 'back'
  | 'enter'
  | 'view'
  | 'next-view'
  | 'last-view'
  | 'down'
  | 'up'
  | 'page-down'
  | 'page-up'
  | 'first'
  | 'last'
  | 'sort-left'
  | 'sort-right'
  | 'drain'
  | 'undrain'
  | 'restart'
  | 'logs'
  | 'shell'
  | 'pull'
  | 'cancel'
  | 'wrap'
  | 'pause'
  | 'redraw'

export interface Binding {
  /** As `keyNames` calls them. */
  readonly keys: readonly string[]
  readonly act: Act
  /** In the line of keys at the bottom; absent: not there. */
  readonly label?: string
  /** In help and docs. */
  readonly about: string
  /** Kinds of places where it works; absent: everywhere. */
  readonly where?: readonly Place['kind'][]
}

const LISTS = ['overview', 'nodes', 'models', 'requests', 'events'] as const
const NODES = ['overview', 'nodes', 'node', 'logs', 'requests', 'request', 'events'] as const

/** Every key, once: what it does, the line of keys, the help and docs/top-keys.md are all made of this. */
export const KEYMAP: readonly Binding[] = [
  {keys: ['?'], act: 'help', label: 'help', about: 'this help'},
  {keys: [':'], act: 'command', label: 'command', about: 'type a command; Tab completes it'},
  {
    keys: ['/'],
    act: 'filter',
    label: 'filter',
    about: 'show only what has these words; a word with ! before it: only what has it not',
    where: [...LISTS, 'logs'],
  },
  {keys: ['enter'], act: 'enter', label: 'detail', about: 'show one entry whole', where: LISTS},
  {
    keys: ['esc'],
    act: 'back',
    label: 'back',
    about: 'close what is typed, take the filter away, or go back',
  },
  {keys: ['1', '2', '3', '4', '5'], act: 'view', about: 'the view of that number'},
  {keys: ['tab', 'right'], act: 'next-view', about: 'the next view'},
  {keys: ['shift+tab', 'left'], act: 'last-view', about: 'the view before'},
  {keys: ['j', 'down'], act: 'down', about: 'down'},
  {keys: ['k', 'up'], act: 'up', about: 'up'},
  {keys: ['pgdn', 'ctrl+f', 'space'], act: 'page-down', about: 'a page down'},
  {keys: ['pgup', 'ctrl+b'], act: 'page-up', about: 'a page up'},
  {keys: ['g', 'home'], act: 'first', about: 'to the first line'},
  {keys: ['G', 'end'], act: 'last', about: 'to the last line; of a log: follow it again'},
  {keys: ['<'], act: 'sort-left', about: 'sort by the column to the left', where: LISTS},
  {keys: ['>'], act: 'sort-right', about: 'sort by the column to the right', where: LISTS},
  {
    keys: ['d'],
    act: 'drain',
    label: 'drain',
    about: 'drain the node: no new request goes there; asks',
    where: NODES,
  },
  {
    keys: ['u'],
    act: 'undrain',
    label: 'undrain',
    about: 'let requests go there again',
    where: NODES,
  },
  {
    keys: ['r'],
    act: 'restart',
    label: 'restart',
    about: 'restart Ollama on the node; asks',
    where: NODES,
  },
  {
    keys: ['l'],
    act: 'logs',
    label: 'logs',
    about: 'follow the log of its Ollama, without the lines that looking at it makes',
    where: NODES,
  },
  {
    keys: ['s'],
    act: 'shell',
    label: 'shell',
    about: 'a shell there; its end leads back',
    where: NODES,
  },
  {
    keys: ['p'],
    act: 'pull',
    label: 'pull',
    about: 'pull a model to the node; asks which',
    where: NODES,
  },
  {
    keys: ['c'],
    act: 'cancel',
    label: 'cancel',
    about: 'end the request; asks',
    where: ['requests', 'request'],
  },
  {
    keys: ['w'],
    act: 'wrap',
    label: 'wrap',
    about: 'break lines that are longer than the screen, or cut them off',
    where: ['logs'],
  },
  {keys: ['ctrl+l'], act: 'redraw', about: 'draw everything anew'},
  {keys: ['ctrl+z'], act: 'pause', about: 'stop here; `fg` leads back'},
  {keys: ['q', 'ctrl+c'], act: 'quit', label: 'quit', about: 'leave'},
]

/** In a list, a capital letter sorts by the column that has it; the same again turns the order around. */
export const SORT_KEY = {
  keys: 'Shift and a letter',
  about: 'sort by the column with that letter (below); the same again turns the order around',
} as const

export const worksIn = (binding: Binding, {kind}: Place): boolean =>
  binding.where === undefined || binding.where.includes(kind)

/** What a key does where we are. */
export function bindingOf(state: TopState, key: string): Binding | undefined {
  const place = placeIn(state)
  return KEYMAP.find((binding) => binding.keys.includes(key) && worksIn(binding, place))
}
