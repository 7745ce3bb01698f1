import {render} from 'ink'
import {Turns} from '../../cluster/turns.ts'
import {AnswerFlow} from './answer-flow.ts'
import {ChatView} from './chat-view.tsx'
import {EMPTY, withText} from './editor.ts'
import {frameOf, MORE, PROMPT, textWidth} from './frame.ts'
import {keyRows} from './keymap.ts'
import {MarkdownStream} from './markdown/stream.ts'
import type {Effect} from './press.ts'
import {strayRows} from './reflow.ts'
import {type Look, PLAIN, paintRow, type Style, span} from './spans.ts'
import {type Completions, initialState} from './state.ts'
import {ChatStore} from './store.ts'
import {pairRows, wrapSpans} from './wrap.ts'

export interface ChatScreenOptions {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly look: Look
  /** The terminal breaks its lines anew when its width changes. */
  readonly reflows: boolean
  /** What was said before, the oldest first. */
  readonly history: readonly string[]
  /** The first line. */
  readonly greeting: string
  /** A clock in ms. */
  readonly now: () => number
  /** `editing`: it replaces the last question. */
  onSend(text: string, editing: boolean): void
  /** The answer that comes is to end. */
  onCancel(): void
  onLeave(): void
  complete(before: string): Promise<Completions>
}

export type Tone = 'plain' | 'dim' | 'bad'

/** A chat at the terminal. All text given to it may come from anywhere: no escape sequence of it is written. */
export interface ChatScreen {
  /** The keys and what they do. */
  readonly keys: ReadonlyArray<readonly [keys: string, about: string]>
  /** Writes lines for good. */
  say(text: string, tone: Tone): void
  /** Writes words and what they mean, in two columns. */
  sayPairs(pairs: ReadonlyArray<readonly [string, string]>): void
  /** Writes what was said, as it was typed. */
  asked(text: string): void
  /** Writes a whole answer of earlier. */
  answered(text: string): void
  /** An answer is wanted: until `end` the line cannot be sent. */
  begin(): void
  /** What is being waited for; '': nothing in particular. */
  waiting(text: string): void
  piece(text: string, thinking: boolean): void
  end(below: string, tone: Tone): void
  /** Asks the terminal to put a text into the clipboard; it may not be allowed to. */
  copy(text: string): void
  /** Keeps it in the history of this chat. */
  remember(text: string): void
  /** Puts a text into the line. `editing`: it replaces the last question. */
  fill(text: string, editing: boolean): void
  /** Leaves the terminal to somebody else until what it returns is called; the next one waits for that. */
  suspend(): Promise<() => Promise<void>>
  /** Gives the terminal back as it was. */
  close(): Promise<void>
}

const NEVER = new AbortController().signal
const TONES: Readonly<Record<Tone, Style>> = {plain: PLAIN, dim: {dim: true}, bad: {hue: 'red'}}

/** Takes the terminal for a chat until it is closed. Ctrl-C is a key here, no signal. */
export function openChat(options: ChatScreenOptions): ChatScreen {
  const {stdout, look, now} = options
  const width = () => textWidth(stdout.columns || 80)
  const obey = (effect: Effect): void => {
    if (effect.kind === 'send') options.onSend(effect.text, effect.editing)
    else if (effect.kind === 'cancel') options.onCancel()
    else if (effect.kind === 'leave') options.onLeave()
    else
      void options.complete(effect.before).then(
        (found) => store.complete(effect.before, found),
        () => store.dispatch({kind: 'hint', text: 'what there is cannot be found out now'}),
      )
  }
  const store = new ChatStore(initialState(options.history), obey)
  let flow: AnswerFlow | undefined
  let suspendTerminal: (() => Promise<{resume(): Promise<void>}>) | undefined
  // One at a time: a question that begins before the terminal was given back would have its keys echoed.
  const lent = new Turns(1)
  let columns = stdout.columns
  const onResize = () => {
    const size = {columns, rows: stdout.rows}
    // Before Ink does: it erases as many rows as the frame had, and the terminal has made more of them.
    const stray =
      options.reflows && stdout.columns < columns
        ? strayRows(frameOf(store.snapshot(), size, look, now()), stdout.columns)
        : 0
    if (stray > 0) stdout.write(`\u001b[${stray}A`)
    columns = stdout.columns
  }
  const redraw = () => flow?.draw()
  const lines = (text: string, style: Style) =>
    wrapSpans([span(text, style)], width()).map((row) => paintRow(row, look))
  const write = (final: readonly string[]) =>
    store.dispatch({kind: 'lines', final, open: store.snapshot().open})
  write([...lines(options.greeting, TONES.dim), ''])
  // Ink does so a moment after its first frame; an Enter in between would arrive as another key.
  options.stdin.setRawMode(true)
  const ink = render(
    <ChatView
      store={store}
      look={look}
      now={now}
      onReady={(suspend) => {
        suspendTerminal = suspend
      }}
    />,
    {
      stdin: options.stdin,
      stdout,
      exitOnCtrlC: false,
      patchConsole: false,
      interactive: true,
      incrementalRendering: true,
      maxFps: 20,
    },
  )
  stdout.prependListener('resize', onResize)
  stdout.on('resize', redraw)
  return {
    keys: [
      ...keyRows('input'),
      ...keyRows('search').map(([keys, about]) => [keys, `while searching: ${about}`] as const),
    ],
    say: (text, tone) => write([...lines(text, TONES[tone]), '']),
    sayPairs: (pairs) => write([...pairRows(pairs, width()).map((row) => paintRow(row, look)), '']),
    asked(text) {
      const rows = text.split('\n').flatMap((line, at) => {
        const mark = {text: at === 0 ? PROMPT : MORE, style: {hue: 'cyan', bold: true}} as const
        return wrapSpans([mark, span(line, {bold: true})], width())
      })
      write(rows.map((row) => paintRow(row, look)))
    },
    answered(text) {
      const stream = new MarkdownStream(width, look)
      write(['', ...stream.push(text), ...stream.end(), ''])
    },
    begin() {
      if (store.snapshot().written.at(-1)?.lines.at(-1) !== '') write([''])
      flow = new AnswerFlow(width, look, store.dispatch)
      store.dispatch({kind: 'busy', busy: true})
    },
    waiting: (text) => store.dispatch({kind: 'wait', text, nowMs: now()}),
    piece: (text, thinking) => flow?.piece(text, thinking),
    end(below, tone) {
      flow?.end(below === '' ? [] : [...lines(below, TONES[tone]), ''])
      flow = undefined
      store.dispatch({kind: 'busy', busy: false})
    },
    copy: (text) => void stdout.write(`\u001b]52;c;${Buffer.from(text).toString('base64')}\u0007`),
    remember: (text) => store.dispatch({kind: 'said', text}),
    fill: (text, editing) =>
      store.dispatch({
        kind: 'fill',
        editor: withText({...EMPTY, cut: store.snapshot().editor.cut}, text),
        editing,
      }),
    async suspend() {
      const leave = await lent.enter(NEVER)
      const suspended = await suspendTerminal?.()
      return async () => {
        await suspended?.resume()
        // Who read keys meanwhile has paused the stream at his end, and Ink does not start it again.
        options.stdin.resume()
        leave()
      }
    },
    async close() {
      stdout.off('resize', onResize)
      stdout.off('resize', redraw)
      // The line and the hints below it are no part of what was said.
      ink.clear()
      ink.unmount()
      await ink.waitUntilExit()
    },
  }
}
