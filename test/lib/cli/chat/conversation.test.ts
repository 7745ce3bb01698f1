import {existsSync, mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, test} from 'vitest'
import {picturesIn, readPicture, readTextFile} from '../../../../src/lib/cli/chat/attach.ts'
import {
  describeSaved,
  exportSession,
  loadSession,
  saveSession,
} from '../../../../src/lib/cli/chat/saved.ts'
import {
  answered,
  asMarkdown,
  lastAnswer,
  lastQuestion,
  wireMessages,
  withQuestion,
} from '../../../../src/lib/cli/chat/turns.ts'
import type {ChatSession} from '../../../../src/lib/cli/chat-session.ts'
import {addToHistory, readHistory} from '../../../../src/lib/state/chats.ts'
import {type TempHome, tempHome} from '../../../support/temp-home.ts'

let home: TempHome
beforeEach(() => {
  home = tempHome()
})
afterEach(() => home.dispose())
const at = (name: string) => join(home.dir, name)
function file(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content)
  return at(name)
}
const PNG = Buffer.from('89504e470d0a1a0a0000', 'hex')

const ask = (content: string) => ({role: 'user', content}) as const
const say = (content: string) => ({role: 'assistant', content}) as const
const talk: ChatSession = {
  model: 'tiny',
  options: {},
  messages: [ask('a'), say('b'), ask('c'), say('d')],
}

describe('turns', () => {
  test('a question without an answer makes room for the next', () => {
    const open = withQuestion(talk, ask('e'))
    expect(withQuestion(open, ask('f')).messages.slice(4)).toEqual([ask('f')])
    expect(answered(open)).toEqual(talk)
    expect(answered(talk)).toBe(talk)
  })

  test('the last question and answer, and what was before them', () => {
    expect(lastQuestion(talk)?.question).toEqual(ask('c'))
    expect(lastQuestion(talk)?.before.messages).toEqual([ask('a'), say('b')])
    expect(lastAnswer(talk)).toBe('d')
    expect(lastQuestion({...talk, messages: []})).toBeUndefined()
  })

  test('the API gets the system message, the pictures, and no mark of ours', () => {
    const session: ChatSession = {
      ...talk,
      system: 's',
      messages: [
        {...ask('a'), images: ['aW0=']},
        {...say('b'), cancelled: true},
      ],
    }
    expect(wireMessages(session)).toEqual([
      {role: 'system', content: 's'},
      {role: 'user', content: 'a', images: ['aW0=']},
      say('b'),
    ])
  })

  test('as Markdown', () => {
    const session: ChatSession = {
      model: 'tiny',
      system: 'brief',
      options: {temperature: 0},
      messages: [
        {...ask('why?'), images: ['aW0=']},
        {...say('# so'), cancelled: true},
      ],
    }
    expect(asMarkdown(session)).toBe(
      '# A conversation with tiny\n\nSystem message: brief\n\nOptions: temperature=0\n\n## Question\n\nwhy?\n\n*1 image shown*\n\n## Answer\n\n# so\n\n*cancelled here*\n',
    )
  })
})

describe('pictures in a text', () => {
  test('are taken out of it where they are there', () => {
    const plain = file('a.png', PNG)
    const spaced = file('b c.JPG', PNG)
    expect(picturesIn(`what is ${plain} here?`)).toEqual({paths: [plain], text: 'what is here?'})
    const escaped = spaced.replaceAll(' ', '\\ ')
    expect(picturesIn(`${escaped} and "${spaced}"`)).toEqual({
      paths: [escaped, spaced],
      text: 'and',
    })
    const absent = `see ${at('none.png')} and  a.png.`
    expect(picturesIn(absent)).toEqual({paths: [], text: absent})
  })

  test('are read if they are pictures and not too large', () => {
    expect(readPicture(file('a.png', PNG))).toEqual({
      name: 'a.png',
      bytes: 10,
      base64: PNG.toString('base64'),
    })
    expect(() => readPicture(file('b.png', 'no'))).toThrow(/no PNG, JPEG or WebP/)
    expect(() => readPicture(at('none.png'))).toThrow(/cannot be taken/)
    expect(() => readPicture(home.dir)).toThrow(/it is no file/)
    expect(() => readPicture(file('c.png', Buffer.alloc(21 * 2 ** 20)))).toThrow(
      /20MiB is the most/,
    )
  })
})

test('a text file is fenced whatever is in it, and anything else is refused', () => {
  expect(readTextFile(file('a.ts', 'x\n'))).toEqual({name: 'a.ts', text: 'a.ts:\n```ts\nx\n```'})
  expect(readTextFile(file('b', '````\nx'))).toMatchObject({text: 'b:\n`````\n````\nx\n`````'})
  expect(() => readTextFile(file('c', 'a\u0000'))).toThrow(/is no text/)
  expect(() => readTextFile(file('d', Buffer.from([0xff, 0xfe, 0x41])))).toThrow(/is no text/)
  expect(() => readTextFile(file('e', 'x'.repeat(300_000)))).toThrow(/256KiB is the most/)
})

describe('saved conversations', () => {
  const paths = () => ({data: at('data')})

  test('are for their owner alone, are listed, and come back as they were', async () => {
    const session: ChatSession = {
      ...talk,
      messages: [
        {...ask('a'), images: ['eA==']},
        {...say('b'), cancelled: true},
      ],
    }
    const saved = await saveSession(paths(), session, {name: 'ideas', known: false})
    expect(statSync(saved).mode & 0o777).toBe(0o600)
    expect(loadSession(paths(), 'ideas')).toEqual(session)
    expect(describeSaved(paths(), Date.now())).toMatch(/^ideas +(now|\ds ago) +\d+B$/)
  })

  test('are not replaced unasked', async () => {
    await saveSession(paths(), talk, {name: 'x', known: false})
    await expect(saveSession(paths(), talk, {name: 'x', known: false})).rejects.toThrow(
      /is there already/,
    )
    await saveSession(paths(), {...talk, model: 'other'}, {name: 'x', known: true})
    expect(loadSession(paths(), 'x').model).toBe('other')
  })

  test('with a slash in it a name is a path, and no name leads out of the directory', async () => {
    await saveSession(paths(), talk, {name: at('here.json'), known: false})
    expect(loadSession(paths(), at('here.json'))).toEqual(talk)
    await expect(saveSession(paths(), talk, {name: '..', known: false})).rejects.toThrow(
      /cannot be the name/,
    )
    expect(() => loadSession(paths(), 'nope')).toThrow(/no conversation is saved as nope/)
    expect(describeSaved(paths(), 0)).toMatch(/none is saved/)
  })

  test('are exported by the end of the name, never over a file', async () => {
    await exportSession(talk, {path: at('a.md'), force: false})
    expect(readFileSync(at('a.md'), 'utf8')).toContain('## Question\n\na')
    await exportSession(talk, {path: at('a.json'), force: false})
    expect(JSON.parse(readFileSync(at('a.json'), 'utf8'))).toEqual(talk)
    await expect(exportSession(talk, {path: at('a.md'), force: false})).rejects.toThrow(/already/)
    await exportSession({...talk, messages: []}, {path: at('a.md'), force: true})
    expect(readFileSync(at('a.md'), 'utf8')).not.toContain('Question')
    await expect(exportSession(talk, {path: at('a.txt'), force: false})).rejects.toThrow(
      /neither in .md nor/,
    )
  })
})

describe('the history', () => {
  const paths = () => ({data: at('data')})

  test('is for its owner alone, without doubles, the newest last', () => {
    expect(readHistory(paths())).toEqual([])
    for (const text of ['a', 'b\nc', 'a']) addToHistory(paths(), text)
    expect(readHistory(paths())).toEqual(['b\nc', 'a'])
    expect(statSync(at('data/chat/history.jsonl')).mode & 0o777).toBe(0o600)
  })

  test('is bounded, and a line that is cut short does no harm', () => {
    mkdirSync(at('data/chat'), {recursive: true})
    const line = JSON.stringify({text: 'x'.repeat(1000)})
    writeFileSync(at('data/chat/history.jsonl'), `${line}\n`.repeat(270))
    addToHistory(paths(), 'new')
    expect(statSync(at('data/chat/history.jsonl')).size).toBeLessThan(100)
    writeFileSync(at('data/chat/history.jsonl'), '{"text":"whole"}\n{"text":"cu')
    expect(readHistory(paths()).at(-1)).toBe('whole')
    addToHistory({data: at('other')}, 'y'.repeat(10_000))
    expect(existsSync(at('other/chat/history.jsonl'))).toBe(false)
  })
})
