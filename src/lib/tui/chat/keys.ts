import type {Key} from 'ink'

/** A key that was pressed, by its name (`ctrl+a`, `alt+enter`, `up`), or text that was typed. */
export type Press = {readonly name: string} | {readonly text: string}

const NAMED = {
  upArrow: 'up',
  downArrow: 'down',
  leftArrow: 'left',
  rightArrow: 'right',
  home: 'home',
  end: 'end',
  pageUp: 'pageup',
  pageDown: 'pagedown',
  return: 'enter',
  escape: 'escape',
  tab: 'tab',
  backspace: 'backspace',
  delete: 'delete',
} as const

/** What Ink read, as presses: fast typing comes as one string, with its Enter in it. */
export function pressesOf(input: string, key: Key): Press[] {
  const named = Object.entries(NAMED).find(([flag]) => key[flag as keyof typeof NAMED])?.[1]
  const held = `${key.ctrl ? 'ctrl+' : ''}${key.meta ? 'alt+' : ''}`
  if (named) return [{name: `${held}${key.shift ? 'shift+' : ''}${named}`}]
  if (held !== '') return input === '' ? [] : [{name: held + input}]
  if (input === '\n') return [{name: 'ctrl+j'}]
  return typed(input)
}

const CONTROL = /(\p{Cc})/u

/** A line break with text behind it was pasted by a terminal that cannot say so; only one at the end is a key. */
function typed(input: string): Press[] {
  const pasted = input.replaceAll('\r\n', '\r').replace(/\r(?=[^\r])/g, '\n')
  if (pasted.includes('\n')) {
    const text = pasted.replace(/\r+$/, '')
    return pasted === text ? [{text}] : [{text}, {name: 'enter'}]
  }
  return pasted
    .split(CONTROL)
    .filter((part) => part !== '')
    .map((part) => (CONTROL.test(part) ? {name: controlName(part)} : {text: part}))
}

/** Ctrl-A is the first control character, and so on; some have keys of their own. */
function controlName(character: string): string {
  if (character === '\r') return 'enter'
  if (character === '\t') return 'tab'
  if (character === '\u007f') return 'backspace'
  return `ctrl+${String.fromCharCode(character.charCodeAt(0) + 96)}`
}
