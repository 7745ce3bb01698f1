import {render} from 'ink-testing-library'
import {afterEach, expect} from 'vitest'
import {makePainter} from '../../src/lib/tui/top/painter.ts'
import {firstState, type ViewName} from '../../src/lib/tui/top/state.ts'
import {makeTopStore} from '../../src/lib/tui/top/store.ts'
import {makeTheme} from '../../src/lib/tui/top/theme.ts'
import {Top} from '../../src/lib/tui/top/top.tsx'
import type {TopEvent} from '../../src/lib/tui/top/update.ts'
import {liveNode, liveRequest, T0, totalsAt, unreadNode, wholeFrame} from './fake-fleet.ts'
import {makeScreen} from './screen.ts'
import {waitFor} from './wait-for.ts'

let end = () => {}
afterEach(() => end())

const NODES = [
  liveNode('gpu-1'),
  liveNode('gpu-2', {state: 'down', reason: 'connection refused', code: 'NODE_UNREACHABLE'}),
  liveNode('gpu-3', {drained: true, tokensPerS: 0, inFlight: 0}),
  liveNode('日本-4', {
    models: [{name: 'qwen3:8b', digest: 'sha256:cccc0000cccc0000', sizeBytes: 5 * 2 ** 30}],
    loaded: [],
  }),
  unreadNode('box'),
]
/** A fleet in which something of everything is the matter. */
export const FRAME = wholeFrame(NODES, {
  requests: [
    liveRequest('r1', {atMs: T0 - 2000}),
    liveRequest('r2', {atMs: T0 - 5000, state: 'waiting', attempts: 0}),
    liveRequest('r0', {
      atMs: T0 - 9000,
      state: 'ended',
      outcome: 'failed',
      status: 502,
      totalMs: 4000,
    }),
  ],
  events: [
    {at: new Date(T0 - 1000).toISOString(), event: 'down', node: 'gpu-2', text: 'it went away'},
  ],
  history: Array.from({length: 120}, (_, at) =>
    totalsAt(T0 - 120_000 + at * 1000, {tokensPerS: at, inFlight: at % 7}),
  ),
})

/** The picture on a terminal of that size, with Ink hearing its keys. */
export function shown({
  columns = 80,
  rows = 24,
  view = 'overview',
  color = false,
}: {
  columns?: number
  rows?: number
  view?: ViewName
  color?: boolean
} = {}) {
  const screen = makeScreen()
  const wanted: string[] = []
  const store = makeTopStore({
    first: firstState({cluster: 'lab', nowMs: T0, size: {columns, rows}, view}),
    now: () => T0,
    perform: (effect) => void wanted.push(effect.kind),
    gatherMs: 0,
  })
  const theme = makeTheme({shade: 'dark', color, unicode: true})
  const ink = render(
    <Top {...{store, theme}} painter={makePainter(screen.write)} onSuspend={() => {}} />,
  )
  end = () => {
    ink.unmount()
    store.close()
  }
  const happen = (event: TopEvent) => store.dispatch(event)
  happen({kind: 'frame', frame: FRAME})
  happen({kind: 'link', link: {state: 'live', source: {kind: 'gateway', url: 'http://gate:11435'}}})
  return {screen, wanted, happen, type: (text: string) => ink.stdin.write(text)}
}

/** Waits until that stands there; what stands there instead is the failure. */
export async function seen(screen: {text(): string}, what: string | RegExp) {
  const there = () =>
    typeof what === 'string' ? screen.text().includes(what) : what.test(screen.text())
  await waitFor('the picture', there, {timeoutMs: 5000}).catch(() =>
    expect(screen.text()).toMatch(what),
  )
}
