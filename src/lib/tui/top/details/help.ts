import {COMMANDS, usageOf} from '../command-line.ts'
import {KEYMAP, SORT_KEY} from '../keymap.ts'
import {heading, type TextLine} from '../lines.ts'
import {columnsOf} from '../listing.ts'
import {type TopState, VIEWS} from '../state.ts'
import {sized, wrap} from '../text.ts'

const KEYS = 20

/** Keys, columns to sort by and commands: all that the tables of them say. */
export function helpLines({size: {columns}}: TopState): readonly TextLine[] {
  const entry = (name: string, about: string): TextLine[] =>
    wrap(about, Math.max(10, columns - KEYS - 1)).map((text, at) => [
      {text: sized(at === 0 ? name : '', KEYS), tone: 'accent'},
      {text: ' '},
      {text},
    ])
  return [
    [{text: 'Keys', tone: 'strong'}],
    ...KEYMAP.flatMap(({keys, about}) => entry(keys.join(' '), about)),
    ...entry(SORT_KEY.keys, SORT_KEY.about),
    ...heading('Columns to sort by, and their letters'),
    ...VIEWS.flatMap((view) =>
      entry(
        view,
        columnsOf(view)
          .map(({id, letter}) => `${letter} ${id}`)
          .join(', '),
      ),
    ),
    ...heading('Commands'),
    ...COMMANDS.flatMap((command) => entry(usageOf(command), command.about)),
  ]
}
