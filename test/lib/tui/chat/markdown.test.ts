import {readFileSync} from 'node:fs'
import fc from 'fast-check'
import stringWidth from 'string-width'
import {describe, expect, test} from 'vitest'
import {MarkdownStream} from '../../../../src/lib/tui/chat/markdown/stream.ts'
import type {Look} from '../../../../src/lib/tui/chat/spans.ts'
import {ThoughtStream} from '../../../../src/lib/tui/chat/thought.ts'
import {pairRows} from '../../../../src/lib/tui/chat/wrap.ts'

const PLAIN: Look = {color: false, light: false, links: false}
const FULL: Look = {color: true, light: false, links: true}

function whole(text: string, width = 60, look = PLAIN): string[] {
  const stream = new MarkdownStream(() => width, look)
  return [...stream.push(text), ...stream.end()]
}

/** The lines that became final, as the text came in pieces cut at these places. */
function inPieces(text: string, cuts: readonly number[], width: number): string[] {
  const stream = new MarkdownStream(() => width, FULL)
  const lines: string[] = []
  let from = 0
  for (const to of [
    ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b),
    text.length,
  ]) {
    lines.push(...stream.push(text.slice(from, to)))
    stream.open()
    from = to
  }
  return [...lines, ...stream.end()]
}

/** What is ours: colours, and links to where a browser goes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const OURS = /\u001b\[[\d;]+m|\u001b\]8;;(?:(?:https?:\/\/|mailto:)[!-~]+)?\u001b\\/g

/** Texts as models write them, as they do not, and as somebody would who wants to break the terminal. */
const piece = fc.oneof(
  fc.constantFrom(
    '# head\n',
    '- item\n',
    '  - inner\n',
    '1. one\n',
    '2) two\n',
    '> quote\n',
    '```js\n',
    '```\n',
    '~~~\n',
    '    code\n',
    '| a | b |\n',
    '|---|--:|\n',
    '| 1 | `2` |\n',
    '---\n',
    '===\n',
    '**b**',
    '*',
    '_',
    '`',
    '~~',
    '[x](https://e.org)',
    '![i](x.png)',
    '\n',
    '\n\n',
    ' ',
    'word ',
    '日本語',
    '👩‍👩‍👧',
    'e\u0301',
    '&lt;',
    '&#27;',
    '<br>',
    '<!-- ',
    '\t',
    '\\',
    '\r\n',
    '\u001b[2J',
    '\u001b]52;c;eA==\u0007',
    '\u009b31m',
    '\u202e',
    '\u001b]8;;https://evil\u001b\\',
    '- [ ] task\n',
    'const x = "y" // z\n',
    '/* open\n',
    '"""\n',
    'http://a.b/c?d=e ',
  ),
  fc.string({unit: 'binary', maxLength: 12}),
  fc.string({unit: 'grapheme', maxLength: 30}),
)
const text = fc.array(piece, {maxLength: 40}).map((pieces) => pieces.join(''))
const width = fc.integer({min: 8, max: 120})

describe('any text', () => {
  test('no line is wider than the terminal, final or not', () => {
    fc.assert(
      fc.property(text, width, (given, columns) => {
        const stream = new MarkdownStream(() => columns, FULL)
        const lines = [...stream.push(given), ...stream.open(), ...stream.end()]
        for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns)
      }),
      {numRuns: 400},
    )
  })

  test('no escape sequence of it reaches the terminal', () => {
    fc.assert(
      fc.property(text, width, (given, columns) => {
        for (const line of whole(given, columns, FULL)) {
          const left = line.replace(OURS, '')
          expect(left).not.toMatch(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u)
        }
        for (const line of whole(given, columns, PLAIN)) expect(line).not.toMatch(/\p{Cc}/u)
      }),
      {numRuns: 400},
    )
  })

  test('in which pieces it came makes no difference to what is written for good', () => {
    const cuts = fc.array(fc.nat(), {maxLength: 12})
    fc.assert(
      fc.property(text, cuts, width, (given, at, columns) => {
        expect(inPieces(given, at, columns)).toEqual(whole(given, columns, FULL))
      }),
      {numRuns: 400},
    )
  })

  test('every letter of a text without marks is shown, in its order', () => {
    const words = fc.array(fc.stringMatching(/^[a-z日本]{1,30}$/), {minLength: 1, maxLength: 30})
    fc.assert(
      fc.property(words, width, (all, columns) => {
        expect(whole(all.join(' '), columns).join('').replaceAll(' ', '')).toBe(all.join(''))
      }),
    )
  })

  test('nested a thousand times it is shown all the same', () => {
    expect(whole(`${'> '.repeat(5000)}deep`).join('')).toContain('deep')
    expect(whole('['.repeat(3000)).join('')).toContain('[')
  })
})

describe('what becomes of', () => {
  test.each<readonly [string, string, readonly string[]]>([
    ['a paragraph', 'one two three four five six', ['one two three four five', 'six']],
    ['a heading without colours', '## Two *words*', ['## Two words']],
    ['line breaks', 'a\nb', ['a', 'b']],
    ['a list', '- a\n- bbbbb bbbbb bbbbb bbbbb bb\n', ['• a', '• bbbbb bbbbb bbbbb', '  bbbbb bb']],
    ['numbers, counted on', '3. a\n3. b\n', ['3. a', '4. b']],
    ['an empty line between items', '- a\n\n- b\n', ['• a', '', '• b']],
    ['a nested list', '- a\n  - b\n', ['• a', '  • b']],
    ['what models indent too little', '1. a\n  - b\n2. c\n', ['1. a', '   • b', '2. c']],
    ['a quote', '> a\n> b\n', ['│ a', '│ b']],
    ['code', '```\nx  y\n\nz\n```\n', ['──', 'x  y', '', 'z']],
    ['code with a language', '~~~js\n1\n~~~\n', ['── js ──', '1']],
    ['code without an end', '```\nx', ['──', 'x']],
    ['a fence inside code', '````\n```\n````\n', ['──', '```']],
    [
      'code in an item',
      '- a\n  ```\n  x\n\n  y\n  ```\n- b\n',
      ['• a', '  ──', '  x', '', '  y', '• b'],
    ],
    ['a rule', 'a\n\n---\n\nb', ['a', '', '─'.repeat(24), '', 'b']],
    ['an underlined heading', 'Head\n===\n', ['# Head']],
    ['a table', '|a|b|\n|-|-:|\n|x|1|\n', ['a │ b', '──┼──', 'x │ 1']],
    ['a link', '[a](http://b)', ['a (http://b)']],
    ['a link that is its own text', '<http://b>', ['http://b']],
    ['entities', 'a &lt;b&gt; &#27;', ['a <b>']],
    ['tasks', '- [x] done\n- [ ] not\n', ['• [x] done', '• [ ] not']],
    ['HTML', '<b>x</b>', ['<b>x</b>']],
    ['a number in a sentence', 'It was\n1986. A year\n', ['It was', '1986. A year']],
  ])('%s', (_, given, expected) => {
    expect(whole(given, 24).map((line) => line.trimEnd())).toEqual(expected)
  })

  test('a table that is too wide: its cells are wrapped', () => {
    const lines = whole('|name|text|\n|-|-|\n|a|one two three four five|\n', 20)
    expect(lines).toContain('a    │ one two three')
    expect(lines).toContain('     │ four five')
  })

  test('a table that cannot be drawn: lines of its cells', () => {
    expect(whole('|a|b|c|d|\n|-|-|-|-|\n|1|2|3|4|\n', 12)).toEqual(['a: 1', 'b: 2', 'c: 3', 'd: 4'])
  })

  test('code is coloured, also behind the lines that were final before', () => {
    const code = Array.from({length: 12}, (_, i) =>
      i === 0 ? '/* a' : i === 11 ? 'b */ const x = 1' : 'c',
    )
    const lines = whole(`\`\`\`js\n${code.join('\n')}\n\`\`\`\n`, 40, FULL)
    expect(lines[10]).toBe('\u001b[2;3mc\u001b[0m')
    expect(lines[12]).toContain('\u001b[35mconst\u001b[0m')
  })

  test('a link, where the terminal knows them', () => {
    const [line] = whole('[a](https://b.org/c)', 40, FULL)
    expect(line).toBe('\u001b]8;;https://b.org/c\u001b\\\u001b[4ma\u001b[0m\u001b]8;;\u001b\\')
    expect(whole('[a](javascript:alert)', 40, FULL).join('')).not.toContain(']8;;')
  })
})

test('an item is final when the next one begins, and a long code block while it is written', () => {
  const stream = new MarkdownStream(() => 40, PLAIN)
  expect(stream.push('- a\n- b')).toEqual([])
  expect(stream.open()).toEqual(['• a', '• b'])
  expect(stream.push('\n')).toEqual(['• a'])
  expect(stream.push(`\n\`\`\`\n${'x\n'.repeat(9)}`)).toEqual([
    '• b',
    '',
    '──',
    ...Array(8).fill('x'),
  ])
  expect(stream.open()).toEqual(['x'])
})

test('this project’s own documentation is shown without loss of words', () => {
  const file = readFileSync('CONTRIBUTING.md', 'utf8')
  const shown = whole(file, 80).join(' ')
  for (const word of ['Thin doors.', 'Pure middle.', 'Errors say what', 'Commits: imperative'])
    expect(shown.replaceAll(/\s+/g, ' ')).toContain(word)
})

test('words and what they mean stand in two columns that fit', () => {
  const rows = pairRows(
    [
      ['Tab', 'complete what is there'],
      ['a very long word', 'x'],
    ],
    24,
  )
  expect(rows.map((row) => row.map(({text}) => text).join(''))).toEqual([
    'Tab       complete what',
    '          is there',
    'a very long word',
    '          x',
  ])
})

test('thoughts are dimmed line by line', () => {
  const stream = new ThoughtStream(() => 8, FULL)
  expect(stream.push('one two \u001b[31mthree\nfo')).toEqual(
    ['one two', '[31mthre', 'e'].map((line) => `\u001b[2m${line}\u001b[0m`),
  )
  expect(stream.open()).toEqual(['\u001b[2mfo\u001b[0m'])
  expect(stream.end()).toEqual(['\u001b[2mfo\u001b[0m'])
  expect(stream.end()).toEqual([])
})
