import type {LiveFrame, LiveLink} from '../../cluster/live.ts'
import type {FleetActions} from '../../cluster/live-actions.ts'
import {makePainter} from './painter.ts'
import {performer} from './perform.ts'
import {picture} from './picture.ts'
import {firstState, type ViewName} from './state.ts'
import {makeTopStore} from './store.ts'
import {makeTerminal} from './terminal.ts'
import {makeTheme, speaksUnicode} from './theme.ts'
import type {Suspend} from './top.tsx'

export interface TopOptions {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly cluster: string
  readonly view?: ViewName | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of the terminal's ground. */
  readonly shade: 'dark' | 'light'
  readonly color: boolean
  /** Loaded when they are first wanted. */
  readonly actions: () => Promise<FleetActions>
  /** A shell on a node, on the terminal as it was; its exit code. */
  readonly shell: (node: string) => Promise<number>
}

/** The live picture on the terminal. */
export interface TopScreen {
  onFrame(frame: LiveFrame): void
  onLink(link: LiveLink): void
  /** A remark for the status line. */
  tell(text: string): void
  /** Resolves when the user leaves. */
  readonly left: Promise<void>
  /** Gives the terminal back at once; what the process says after that can be read. */
  restore(): void
  /** Ends what was begun, and gives the terminal back. */
  close(): Promise<void>
}

/**
 * Takes the terminal and paints the first picture before anything else is loaded; Ink, which hears the keys, comes after.
 * Whoever opens it must close it, or `restore` it while the process ends.
 */
export function openTop(options: TopOptions): TopScreen {
  const {stdin, stdout, cluster, view, env, actions, shell} = options
  const terminal = makeTerminal({stdin, stdout})
  const theme = makeTheme({
    shade: options.shade,
    color: options.color,
    unicode: speaksUnicode(env),
  })
  const painter = makePainter((text) => terminal.write(text))
  const ending = new AbortController()
  const {promise: left, resolve: leave} = Promise.withResolvers<void>()
  let suspend: Suspend = (work) => work()
  const onSuspend = (way: Suspend) => {
    suspend = way
  }
  const redraw = () => {
    painter.forget()
    painter.paint(picture(store.getSnapshot(), theme))
  }
  const aside = (work: () => Promise<void>) =>
    suspend(async () => {
      terminal.leave()
      await letGo(stdin)
      try {
        await work()
      } finally {
        if (!ending.signal.aborted) {
          terminal.enter()
          store.dispatch({kind: 'size', size: terminal.size})
          redraw()
        }
      }
    })
  const perform = performer({
    actions,
    dispatch: (event) => store.dispatch(event),
    signal: ending.signal,
    async shell(node) {
      let code = 1
      await aside(async () => {
        code = await shell(node)
      })
      return code
    },
    host(effect) {
      if (effect === 'quit') leave()
      if (effect === 'redraw') redraw()
      if (effect === 'pause') void aside(stopHere)
    },
  })
  const store = makeTopStore({
    first: firstState({cluster, nowMs: Date.now(), size: terminal.size, ...(view ? {view} : {})}),
    now: Date.now,
    perform,
  })
  terminal.enter()
  painter.paint(picture(store.getSnapshot(), theme))
  const unhear = terminal.onResize(() => {
    // What a terminal keeps of the old picture when its size changes differs; nothing of it is relied on.
    painter.forget()
    store.dispatch({kind: 'size', size: terminal.size})
  })
  const mounted = import('./top.tsx').then(({mountTop}) =>
    ending.signal.aborted ? async () => {} : mountTop({store, theme, painter, onSuspend}, stdin),
  )
  // It is awaited at the end, where a failure is told.
  mounted.catch(leave)
  return {
    onFrame: (frame) => store.dispatch({kind: 'frame', frame}),
    onLink: (link) => store.dispatch({kind: 'link', link}),
    tell: (text) => store.dispatch({kind: 'told', told: {tone: 'warn', text}}),
    left,
    restore: () => terminal.leave(),
    async close() {
      ending.abort()
      store.close()
      unhear()
      try {
        await (await mounted)()
      } finally {
        terminal.leave()
      }
    },
  }
}

/**
 * Ink takes its listener away, but a read is still under way then and would take the first letters that are meant for the
 * other program. Node ends that read when standard input is paused, and it can only be paused when it flows.
 */
async function letGo(stdin: NodeJS.ReadStream): Promise<void> {
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  // That the listener is gone is noticed a turn later, as is the pause.
  await turn()
  stdin.resume()
  stdin.pause()
  await turn()
}

/** As the terminal's own Ctrl-Z does it; resolves when the shell has called us back. */
function stopHere(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGCONT', () => resolve())
    process.kill(0, 'SIGTSTP')
  })
}
