import type {Key} from 'ink'

const SPECIAL: readonly (readonly [keyof Key, string])[] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageDown', 'pgdn'],
  ['pageUp', 'pgup'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'esc'],
  ['backspace', 'backspace'],
  ['delete', 'delete'],
]

/** The names, as the keymap has them, of what came from the keyboard at once: several where somebody types fast or pastes. */
export function keyNames(input: string, key: Key): readonly string[] {
  const special = SPECIAL.find(([flag]) => key[flag] === true)
  if (special) return [special[1]]
  if (key.tab) return [key.shift ? 'shift+tab' : 'tab']
  if (key.ctrl) return input === '' ? [] : [`ctrl+${input}`]
  const letters = [...input].map(nameOf).filter((name) => name !== '')
  // Escape and a letter that come at once look like the letter with Alt, which means nothing here.
  return key.meta ? ['esc', ...letters] : letters
}

function nameOf(char: string): string {
  if (char === '\r' || char === '\n') return 'enter'
  if (char === '\t') return 'tab'
  if (char === ' ') return 'space'
  if (char === '\u007f' || char === '\b') return 'backspace'
  return /\p{Cc}/u.test(char) ? '' : char
}
