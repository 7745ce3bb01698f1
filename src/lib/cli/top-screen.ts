import {setFlagsFromString} from 'node:v8'
import type {LiveFrame} from '../cluster/live.ts'
import type {FleetActions, WatchFleet} from '../cluster/live-actions.ts'
import {OllamaxError} from '../errors.ts'
import type {Tools} from '../jobs/tools.ts'
import {colorsOn, shadeOf} from './paint.ts'

export interface TopOptions {
  /** `once`: the first whole frame is the result. */
  readonly mode: 'drawn' | 'plain' | 'once'
  readonly view: 'overview' | 'nodes' | 'models' | 'requests' | 'events'
  readonly theme: string
  /** Takes the way to tell something while the terminal is drawn on; undefined once that is over. */
  readonly onTell: (tell: ((text: string) => void) | undefined) => void
}

/**
 * Watches the fleet until the user leaves, and gives back the last frame that was whole. Errors: NEEDS_TTY, those of
 * reading the cluster file, INTERRUPTED; the terminal is as it was before whatever happens.
 */
export async function showTop(tools: Tools, options: TopOptions): Promise<LiveFrame> {
  if (options.mode === 'drawn') checkTerminal()
  const ending = new AbortController()
  const signal = AbortSignal.any([tools.signal, ending.signal])
  const whole: {frame: LiveFrame} = {frame: NOTHING}
  try {
    const work = options.mode === 'drawn' ? draw : options.mode === 'plain' ? print : look
    const keep = (frame: LiveFrame) => {
      if (frame.whole) whole.frame = frame
    }
    await work(tools, {...options, signal, keep})
  } finally {
    ending.abort()
  }
  tools.signal.throwIfAborted()
  return whole.frame
}

const NOTHING: LiveFrame = {
  atMs: 0,
  whole: true,
  nodes: [],
  requests: [],
  events: [],
  totals: {atMs: 0, inFlight: 0},
}

interface Watching extends TopOptions {
  readonly signal: AbortSignal
  readonly keep: (frame: LiveFrame) => void
}

function checkTerminal(): void {
  const {stdin, stdout, env} = process
  const missing =
    !stdin.isTTY || !stdout.isTTY
      ? `standard ${stdout.isTTY ? 'input' : 'output'} is none`
      : env.TERM === 'dumb' || !env.TERM
        ? `this one (TERM=${env.TERM ?? ''}) cannot be drawn on`
        : undefined
  if (missing === undefined) return
  throw new OllamaxError('NEEDS_TTY', `top draws on a terminal, and ${missing}`, {
    suggestions: [
      'ollamax status --watch shows the nodes again and again, anywhere',
      'ollamax top --plain appends a line for each change',
    ],
  })
}

const watcher =
  (tools: Tools): WatchFleet =>
  async (hooks) => {
    const {watchFleet} = await import('../jobs/live/watch-fleet.ts')
    await watchFleet(tools, hooks)
  }

async function look(tools: Tools, {signal, keep}: Watching): Promise<void> {
  const done = new AbortController()
  await watcher(tools)({
    signal: AbortSignal.any([signal, done.signal]),
    onLink() {},
    onFrame(frame) {
      keep(frame)
      done.abort()
    },
  })
}

async function print(tools: Tools, {signal, keep}: Watching): Promise<void> {
  const {plainLines} = await import('./ink.ts').then(({loadPlain}) => loadPlain())
  const lines = plainLines((line) => process.stdout.write(`${line}\n`), Date.now)
  await watcher(tools)({
    signal,
    onLink: lines.onLink,
    onFrame(frame) {
      keep(frame)
      lines.onFrame(frame)
    },
  })
}

async function draw(tools: Tools, {view, theme, signal, keep, onTell}: Watching): Promise<void> {
  // It makes little garbage at a time, for hours: room for 32 MB of it would only be held, never needed.
  setFlagsFromString('--semi-space-growth-factor=1')
  // What outlives that a while, as a reading does, would be let grow to three times what is needed before it is looked at.
  setFlagsFromString('--heap-growing-percent=25')
  const {stdin, stdout, env} = process
  const {openTop} = await import('./ink.ts')
  let acting: Promise<FleetActions> | undefined
  const screen = await openTop({
    stdin,
    stdout,
    cluster: tools.clusterName(),
    view,
    env,
    shade: shadeOf(env, theme === 'auto' ? undefined : theme),
    color: colorsOn(stdout, env),
    actions: () => {
      acting ??= import('../jobs/live/actions.ts').then(({fleetActions}) => fleetActions(tools))
      return acting
    },
    shell: (node) => shellOn(node, tools.clusterName()),
  })
  const unguard = guard(screen.restore)
  onTell(screen.tell)
  const ended = new Promise<void>((resolve) =>
    signal.addEventListener('abort', () => resolve(), {once: true}),
  )
  try {
    const watching = watcher(tools)({
      signal,
      onLink: screen.onLink,
      onFrame(frame) {
        keep(frame)
        screen.onFrame(frame)
      },
    })
    await Promise.race([screen.left, ended, watching, unguard.hungUp])
  } finally {
    onTell(undefined)
    await screen.close()
    unguard.stop()
  }
}

/** Whatever ends the process, the terminal is given back first, and what the end says can be read. */
function guard(restore: () => void) {
  const {promise: hungUp, resolve: hangUp} = Promise.withResolvers<void>()
  const quiet = () => {}
  const end = () => hangUp()
  process.on('exit', restore)
  process.prependListener('uncaughtException', restore)
  // A terminal that has gone away takes nothing any more; that is no reason to fall over.
  process.stdout.on('error', quiet)
  process.on('SIGHUP', end)
  process.on('SIGQUIT', end)
  return {
    hungUp,
    stop() {
      process.off('exit', restore)
      process.off('uncaughtException', restore)
      process.stdout.off('error', quiet)
      process.off('SIGHUP', end)
      process.off('SIGQUIT', end)
    },
  }
}

/** `ollamax node shell` in a process of its own: it has the terminal to itself. */
async function shellOn(node: string, cluster: string): Promise<number> {
  const {spawn} = await import('node:child_process')
  const self = process.argv[1] ?? ''
  const child = spawn(process.execPath, [self, 'node', 'shell', node, '--cluster', cluster], {
    stdio: 'inherit',
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)))
  })
}
