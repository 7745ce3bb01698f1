import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect} from 'vitest'
import {type ChatPane, openPane} from '../support/chat-pane.ts'
import {clusterHome} from '../support/cluster-home.ts'
import type {Settings} from '../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../support/fake-ollama.ts'
import {needs} from '../support/needs.ts'
import type {TempHome} from '../support/temp-home.ts'
import {ollamax, RESTORED} from '../support/tmux.ts'
import {waitFor} from '../support/wait-for.ts'

const test = needs('tmux')
const PNG = Buffer.from('89504e470d0a1a0a0000', 'hex')
const MODELS = [
  'tiny',
  // As Ollama 0.24 lists them.
  {name: 'untold', listedCapabilities: null},
  {name: 'seer', capabilities: ['completion', 'vision']},
  'other:7b',
]
const DONE = /n1 · \d+ tokens · [\d.]+ tokens\/s ·\s+first token \d/

let node: FakeOllama
let home: TempHome
let chat: ChatPane
beforeEach(async () => {
  node = await startFakeOllama({models: MODELS, answer: 'It is **so**.'})
  home = clusterHome([node])
})
afterEach(async () => {
  chat?.close()
  await node.close()
  home.dispose()
})

async function open(
  words: readonly string[] = ['tiny'],
  size: {columns?: number; rows?: number} = {},
) {
  chat = openPane(ollamax('chat', ...words), {env: home.env, cwd: home.dir, ...size})
  await chat.sees('>>>')
  return chat
}
const end = async (pane: ChatPane) => ({code: await pane.ended(), ...pane.terminal()})
const asked = () =>
  node.requests
    .filter(({path}) => path === '/api/chat')
    .map(({body, outcome}) => ({
      outcome,
      model: body?.model,
      messages: (body?.messages ?? []) as {role: string; content: string; images?: string[]}[],
    }))
const lastSaid = () =>
  asked()
    .at(-1)
    ?.messages.map(({role, content}) => `${role}: ${content}`)
/** Says it, and waits for the whole answer. */
async function answered(text: string): Promise<string> {
  chat.mark()
  chat.say(text)
  return chat.sees(DONE)
}
/** From now on answers come slowly and are long. */
const slow = (more: Partial<Settings> = {}) =>
  node.set({
    answer: Array.from({length: 300}, (_, i) => `word${i}`).join(' '),
    decodeTokensPerS: 30,
    ...more,
  })

describe('an answer', () => {
  test('is shown as Markdown, with who gave it and how fast, and is remembered', async () => {
    await open()
    expect(await answered('why?')).toMatch(/>>> why\?\n\nIt is so\.\n\nn1 · /)
    await answered('really?')
    expect(lastSaid()).toEqual(['user: why?', 'assistant: It is **so**.', 'user: really?'])
  })

  test('is ended by Ctrl-C, also at its node; what came is kept, marked, and the chat goes on', async () => {
    await slow()
    await open()
    chat.say('tell me')
    await chat.sees('word5 ')
    chat.press('C-c')
    await chat.sees('(cancelled)')
    await waitFor('the node to see it', () => node.cancelled === 1)
    await node.set({answer: 'short', decodeTokensPerS: 0})
    await answered('again')
    expect(lastSaid()?.[1]).toMatch(/^assistant: word0 word1/)
    expect(lastSaid()?.[2]).toBe('user: again')
  })

  test('longer than the terminal scrolls away whole, each line once, and without redrawing all', async () => {
    const lines = Array.from({length: 120}, (_, i) => `- item ${i} of the list`)
    await node.set({answer: lines.join('\n'), decodeTokensPerS: 400})
    await open(['tiny'], {rows: 12})
    const all = await answered('long')
    for (const i of [0, 1, 57, 118, 119])
      expect(all.split(`• item ${i} of the list\n`)).toHaveLength(2)
  })

  test('goes on while the terminal changes its size', async () => {
    await slow({decodeTokensPerS: 60})
    await open()
    chat.say('tell me')
    await chat.sees('word20 ')
    chat.resize(50, 20)
    await chat.sees('word60 ')
    chat.resize(100, 40)
    await chat.sees(DONE)
    const flat = chat.history().replaceAll(/\s+/g, ' ')
    expect(flat).toContain(Array.from({length: 300}, (_, i) => `word${i}`).join(' '))
    expect(await answered('and now?')).toContain('>>> and now?')
  })

  test('that stops in the middle is an error with what to do next, and the conversation stays', async () => {
    await open()
    await answered('one')
    await node.set({
      answer: undefined as never,
      fault: {kind: 'cut', afterTokens: 4, how: 'rst', on: 'inference'},
    })
    chat.mark()
    chat.say('two')
    const error = await chat.sees('Try this:')
    expect(error).toContain('(incomplete: not part of the conversation)')
    expect(error).toContain('Code: STREAM_CUT')
    await node.set({answer: 'whole', fault: null})
    await answered('/regenerate')
    expect(lastSaid()).toEqual(['user: one', 'assistant: It is **so**.', 'user: two'])
  })

  test('comes from another node if the first one fails before it', async () => {
    await node.set({fault: {kind: 'status', status: 500, on: 'inference'}})
    const second = await startFakeOllama({models: MODELS, answer: 'from the second'})
    try {
      home.dispose()
      home = clusterHome([node, second])
      await open(['tiny', '--policy', 'round-robin'])
      for (const text of ['a', 'b']) {
        chat.mark()
        chat.say(text)
        await chat.sees(/n2 · \d+ tokens/)
      }
      expect(chat.history()).toMatch(/n1: .*; asking n2 instead/)
    } finally {
      await second.close()
    }
  })
})

describe('the conversation', () => {
  test('/regenerate, /edit and /undo change its end', async () => {
    await open()
    await answered('first')
    await answered('secund')
    chat.mark()
    chat.say('/edit')
    await chat.sees('edit> secund')
    chat.press('BSpace', 'BSpace', 'BSpace')
    chat.type('ond')
    chat.press('Enter')
    await chat.sees(DONE)
    expect(lastSaid()).toEqual(['user: first', 'assistant: It is **so**.', 'user: second'])
    await answered('/regenerate')
    expect(asked()).toHaveLength(4)
    expect(lastSaid()?.at(-1)).toBe('user: second')
    // Cancelled before anything came: the answer of before stays.
    await slow({firstTokenDelayMs: 60_000})
    chat.say('/regenerate')
    await waitFor('the question', () => asked().length === 5)
    chat.press('C-c')
    await chat.sees('(cancelled)')
    await node.set({answer: 'more', firstTokenDelayMs: 0, decodeTokensPerS: 0})
    await answered('and')
    expect(lastSaid()).toHaveLength(5)
    chat.say('/undo')
    await chat.sees('are forgotten')
    chat.mark()
    chat.say('/undo')
    await chat.sees('are forgotten')
    await answered('third')
    expect(lastSaid()).toEqual(['user: first', 'assistant: It is **so**.', 'user: third'])
  })

  test('goes on with another model, chosen by completion, with a system message and options', async () => {
    await open()
    await answered('one')
    chat.type('/mod')
    chat.press('Tab')
    chat.type('o')
    await chat.sees('>>> /model o')
    chat.press('Tab')
    await chat.sees('>>> /model other:7b')
    chat.press('Enter')
    await chat.sees('the model is other:7b')
    chat.say('/system be brief')
    chat.say('/set temperature 0.5')
    await chat.sees('temperature is 0.5')
    await answered('two')
    expect(asked().at(-1)?.model).toBe('other:7b')
    expect(lastSaid()).toEqual([
      'system: be brief',
      'user: one',
      'assistant: It is **so**.',
      'user: two',
    ])
    expect(node.requests.at(-1)?.body?.options).toEqual({temperature: 0.5})
    chat.say('/model nothere')
    await chat.sees('no node has it now')
  })

  test('is saved, listed, loaded in another chat, and exported', async () => {
    await open()
    await answered('keep this')
    chat.say('/save mine')
    await chat.sees('saved to')
    chat.say('/export talk.md')
    await chat.sees('written to')
    chat.say('/export talk.json')
    await chat.sees('talk.json')
    chat.say('/export talk.md')
    await chat.sees('is there already')
    chat.press('C-d')
    expect(await end(chat)).toEqual({code: 0, ...RESTORED})
    expect(readFileSync(join(home.dir, 'talk.md'), 'utf8')).toContain('## Answer\n\nIt is **so**.')
    expect(JSON.parse(readFileSync(join(home.dir, 'talk.json'), 'utf8')).messages).toHaveLength(2)
    chat.close()
    await open(['--load', 'mine'])
    await chat.sees(/tiny: .*\n\n>>> keep this\n\nIt is so\./)
    await answered('more')
    expect(lastSaid()).toEqual(['user: keep this', 'assistant: It is **so**.', 'user: more'])
    chat.say('/sessions')
    await chat.sees(/mine +(now|\ds ago)/)
  })
})

describe('what is written', () => {
  test('may have several lines, typed or pasted, and is edited in place', async () => {
    await open()
    chat.type('one')
    chat.press('M-Enter')
    chat.type('two\\')
    chat.press('Enter')
    chat.paste('three\nfour')
    await chat.sees('... four')
    chat.press('C-a')
    chat.type('>')
    chat.press('Enter')
    await chat.sees(DONE)
    expect(lastSaid()).toEqual(['user: one\ntwo\nthree\n>four'])
    chat.say('"""a')
    chat.say('b"""')
    await waitFor('the second', () => asked().length === 2)
    expect(lastSaid()?.at(-1)).toBe('user: a\nb')
  })

  test('comes back by Up and Ctrl-R, also in the next chat, and never from an incognito one', async () => {
    await open()
    await answered('quick sort')
    await answered('merge sort')
    chat.press('C-d')
    await chat.ended()
    chat.close()
    await open(['tiny', '--no-history'])
    await answered('secret sort')
    chat.press('C-d')
    await chat.ended()
    chat.close()
    await open()
    chat.press('Up')
    await chat.sees('>>> merge sort')
    chat.press('C-u', 'C-r')
    chat.type('sort')
    await chat.sees('(search "sort") merge sort')
    chat.press('C-r')
    await chat.sees('(search "sort") quick sort')
    chat.press('Enter')
    await chat.sees('>>> quick sort')
    chat.press('Enter')
    await chat.sees(DONE)
    expect(lastSaid()).toEqual(['user: quick sort'])
  })

  test('takes pictures by path to a model that sees, and is refused clearly for one that does not', async () => {
    writeFileSync(join(home.dir, 'a b.png'), PNG)
    writeFileSync(join(home.dir, 'note.txt'), 'hello')
    await open()
    chat.say('what is ./a\\ b.png ?')
    const refused = await chat.sees('Try this: /model seer')
    expect(refused).toContain('tiny cannot see pictures')
    expect(asked()).toHaveLength(0)
    // The text is still in the line.
    await chat.sees(/\n>>> what is \.\/a\\ b\.png \?\n?[^\n]*$/)
    chat.press('C-c')
    chat.say('/model untold')
    chat.say('/image ./a\\ b.png')
    await chat.sees('untold cannot see pictures')
    chat.say('/model seer')
    await chat.sees('the model is seer')
    await answered('what is ./a\\ b.png ?')
    expect(asked().at(-1)?.messages).toEqual([
      {role: 'user', content: 'what is ?', images: [PNG.toString('base64')]},
    ])
    chat.say('/file note.txt')
    await chat.sees('with the next question: note.txt')
    await answered('read it')
    expect(asked().at(-1)?.messages.at(-1)?.content).toBe(
      'read it\n\nnote.txt:\n```txt\nhello\n```',
    )
  })
})

describe('the terminal', () => {
  test('is as it was after /bye, two Ctrl-C and a signal in the middle of an answer', async () => {
    await open()
    chat.say('/bye')
    expect(await end(chat)).toEqual({code: 0, ...RESTORED})
    chat.close()
    await open()
    chat.press('C-c', 'C-c')
    expect(await end(chat)).toEqual({code: 0, ...RESTORED})
    chat.close()
    await slow()
    await open()
    chat.say('tell me')
    await chat.sees('word3 ')
    process.kill(chat.pid(), 'SIGTERM')
    expect(await end(chat)).toEqual({code: 130, ...RESTORED})
    await waitFor('the node to see it', () => node.cancelled === 1)
  })

  test('is as it was after a crash, which says what happened', async () => {
    const crash = join(home.dir, 'crash.cjs')
    writeFileSync(crash, "process.on('SIGUSR2', () => { throw new Error('boom') })")
    home = {...home, env: {...home.env, NODE_OPTIONS: `--require=${crash}`}}
    await slow()
    await open()
    chat.say('tell me')
    await chat.sees('word3 ')
    process.kill(chat.pid(), 'SIGUSR2')
    expect(await end(chat)).toEqual({code: 1, ...RESTORED})
    expect(chat.history()).toContain('Error: boom')
  })

  test('obeys nothing that a model says, and is drawn at 40 columns without colours', async () => {
    await node.set({
      answer:
        '# Head\n\nred \u001b[31m \u001b]0;title\u0007 and a text that is longer than the forty columns',
    })
    home = {...home, env: {...home.env, NO_COLOR: '1'}}
    await open(['tiny'], {columns: 40})
    const shown = await answered('show')
    expect(shown).toMatch(
      /# Head\n\nred \[31m \]0;title and a text that is\nlonger than the forty columns\n/,
    )
  })

  test('is lent to a question, and keys work as before behind it', async () => {
    await node.set({pullable: ['newer'], answer: 'pulled'})
    await open(['newer'])
    chat.say('hi')
    await chat.sees('Pull it to n1?')
    chat.type('y')
    chat.press('Enter')
    await chat.sees(DONE)
    await answered('and now')
    expect(lastSaid()?.at(-1)).toBe('user: and now')
  })

  test('has the plain chat with --plain', async () => {
    chat = openPane(ollamax('chat', 'tiny', '--plain'), {env: home.env})
    await chat.sees('>>>')
    chat.say('hi')
    await chat.sees('It is **so**.')
    chat.press('C-d')
    expect(await chat.ended()).toBe(0)
  })
})
