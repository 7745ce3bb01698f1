import {render} from 'ink-testing-library'
import {afterEach, expect, test} from 'vitest'
import {COMMANDS} from '../../../../src/lib/tui/top/command-line.ts'
import {KEYMAP} from '../../../../src/lib/tui/top/keymap.ts'
import {makePainter} from '../../../../src/lib/tui/top/painter.ts'
import {picture} from '../../../../src/lib/tui/top/picture.ts'
import {firstState, VIEWS, type ViewName} from '../../../../src/lib/tui/top/state.ts'
import {makeTopStore} from '../../../../src/lib/tui/top/store.ts'
import {widthOf} from '../../../../src/lib/tui/top/text.ts'
import {makeTheme} from '../../../../src/lib/tui/top/theme.ts'
import {Top} from '../../../../src/lib/tui/top/top.tsx'
import type {TopEvent} from '../../../../src/lib/tui/top/update.ts'
import {
  liveNode,
  liveRequest,
  T0,
  totalsAt,
  unreadNode,
  wholeFrame,
} from '../../../support/fake-fleet.ts'
import {makeScreen} from '../../../support/screen.ts'
import {topState} from '../../../support/top-state.ts'
import {waitFor} from '../../../support/wait-for.ts'

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
const FRAME = wholeFrame(NODES, {
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

const THEME = makeTheme({shade: 'dark', color: false, unicode: true})

/** The picture on a terminal of that size, with Ink hearing its keys. */
function shown({
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
async function seen(screen: {text(): string}, what: string | RegExp) {
  const there = () =>
    typeof what === 'string' ? screen.text().includes(what) : what.test(screen.text())
  await waitFor('the picture', there, {timeoutMs: 5000}).catch(() =>
    expect(screen.text()).toMatch(what),
  )
}

test('the overview shows the figures, their last minutes and who is worth a look', async () => {
  const {screen} = shown()
  await seen(screen, 'live')
  expect(screen.text()).toMatchInlineSnapshot(`
    " ollamax top  lab  gateway http://gate:11435                               live
     [1 overview]  2 nodes   3 models   4 requests   5 events
     nodes        3 of 5 up  1 down  1 unread  1 drained  3 models loaded
     tokens/s     123                     ▁▁▁▂▂▂▂▃▃▃▃▄▄▄▄▅▅▅▅▆▆▆▆▇▇▇████ max 123
     requests/s   5.1                    ███████████████████████████████ max 5.1
     in flight    7                       ▅▇▆▇▇▄▇▅▇▆▇▇▄▇▅▇▆▇▇▄▇▅▇▆▇▇▄▇▅█ max 7
     queue        2                      ███████████████████████████████ max 2
     first token  p50 180ms p95 1.2s     ███████████████████████████████ max 1.2s
     errors/s     0.0                                                    max 0.0
      NAME                     STATE      REASON
    > gpu-2                    down       connection refused
      gpu-3                    up,drained drained: no new request goes there
      box                      unread     nobody has looked yet









     1/3
     ? help  : command  / filter  enter detail  esc back  d drain  u undrain"
  `)
})

test('the nodes show all that fits, and ? for what nobody knows', async () => {
  const {screen} = shown({view: 'nodes', columns: 170, rows: 15})
  await seen(screen, 'live')
  expect(screen.text()).toMatchInlineSnapshot(`
    " ollamax top  lab  gateway http://gate:11435                                                                                                                         live
      1 overview  [2 nodes]  3 models   4 requests   5 events
      NAME                 STATE      VERSION   TOK/S FLIGHT LATENCY  GPU         VRAM  CPU  MEM DISK  TEMP LOADED                      READ REASON
    > gpu-1                up         0.33.0     41.5    2/4     3ms  82%     12/24GiB  37%  38%  40%   66° llama3.2:latest              now
      gpu-2                down       0.33.0     41.5    2/4     3ms  82%     12/24GiB  37%  38%  40%   66° llama3.2:latest              now connection refused
      gpu-3                up,drained 0.33.0      0.0    0/4     3ms  82%     12/24GiB  37%  38%  40%   66° llama3.2:latest              now drained: no new request goes the…
      日本-4               up         0.33.0     41.5    2/4     3ms  82%     12/24GiB  37%  38%  40%   66° -                            now
      box                  unread     ?             ?      0       ?    ?            ?    ?    ?    ?     ? -                              ? nobody has looked yet





     1/5
     ? help  : command  / filter  enter detail  esc back  d drain  u undrain  r restart  l logs  s shell  p pull  q quit"
  `)
})

test('the models show replicas, where they are loaded and where their content differs', async () => {
  const {screen, type} = shown({view: 'models', rows: 17})
  await seen(screen, 'live')
  expect(screen.text()).toMatchInlineSnapshot(`
    " ollamax top  lab  gateway http://gate:11435                               live
      1 overview   2 nodes  [3 models]  4 requests   5 events
      NAME                      SIZE  REPLICAS  LOADED DRIFT       LOADED ON
    > llama3.2:latest         2.0GiB         3       3 none        gpu-1, gpu-2, gp…
      qwen3:8b                5.0GiB         4       0 2 versions  -










     1/2
     ? help  : command  / filter  enter detail  esc back  q quit"
  `)
  type('j\r')
  await seen(screen, '> model qwen3:8b')
  expect(screen.text()).toMatchInlineSnapshot(`
    " ollamax top  lab  gateway http://gate:11435                               live
      1 overview   2 nodes  [3 models]  4 requests   5 events  > model qwen3:8b
    model          qwen3:8b
    size           5.0GiB
    replicas       4 of 5 nodes
    loaded on      no node
    drift          2 versions under one name: ollamax model sync makes them one

    Versions, the most frequent first
    bbbb0000bbbb   5.0GiB on 3 nodes: gpu-1, gpu-2, gpu-3
    cccc0000cccc   5.0GiB on 1 node: 日本-4





     ? help  : command  esc back  q quit"
  `)
})

test('the requests show what goes on first, and why each node was chosen', async () => {
  const {screen} = shown({view: 'requests', columns: 120, rows: 15})
  await seen(screen, 'live')
  expect(screen.text()).toMatchInlineSnapshot(`
    " ollamax top  lab  gateway http://gate:11435                                                                       live
      1 overview   2 nodes   3 models  [4 requests]  5 events
        AGE STATE       MODEL          NODE        QUEUE  FIRST  TOTAL TOKENS TRIES KEY        ROUTE          WHY THAT NODE
    >    2s running     llama3.2:late… gpu-1        12ms  180ms   2.0s     64     1 -          /api/chat      loaded and fr…
         5s waiting     llama3.2:late… gpu-1        12ms  180ms   5.0s     64     0 -          /api/chat      loaded and fr…
         9s failed 502  llama3.2:late… gpu-1        12ms  180ms   4.0s     64     1 -          /api/chat      loaded and fr…







     1/3
     ? help  : command  / filter  enter detail  esc back  d drain  u undrain  r restart  l logs  s shell  p pull  c cancel"
  `)
})

test('the events show the newest first', async () => {
  const {screen} = shown({view: 'events', rows: 15})
  await seen(screen, 'live')
  // The time of day is the reader's own.
  expect(screen.text().replace(/\d\d:\d\d:\d\d/, 'hh:mm:ss')).toMatchInlineSnapshot(`
    " ollamax top  lab  gateway http://gate:11435                               live
      1 overview   2 nodes   3 models   4 requests  [5 events]
      TIME     EVENT     NODE             WHAT HAPPENED
    > hh:mm:ss down      gpu-2            it went away









     1/1
     ? help  : command  / filter  enter detail  esc back  d drain  u undrain"
  `)
})

test('a node shows all that is known of it', async () => {
  const {screen, type} = shown({view: 'nodes', rows: 34})
  await seen(screen, 'live')
  type('\r')
  await seen(screen, '> node gpu-1')
  expect(screen.text()).toMatchInlineSnapshot(`
    " ollamax top  lab  gateway http://gate:11435                               live
      1 overview  [2 nodes]  3 models   4 requests   5 events  > node gpu-1
    state          up
    read           now
    version        0.33.0
    reached        ops@gpu-1 (ssh)
    labels         tier=fast
    tokens/s       41.5
    in flight      2 of 4
    latency        3ms
    breaker        closed

    Machine (read now)
    CPU            37% of 16 cores
    memory         24/64GiB
    disk           200/500GiB
    temperature    61°
    GPU 0          RTX 4090: 82% busy, 12/24GiB VRAM, 66°

    Loaded models: 1
    NAME             SIZE    ON GPU  CONTEXT  UNLOADS IN
    llama3.2:latest  4.0GiB  100%    8192     4m

    Models on disk: 2
    NAME             SIZE    DIGEST
    llama3.2:latest  2.0GiB  aaaa0000aaaa
    qwen3:8b         5.0GiB  bbbb0000bbbb






     ? help  : command  esc back  d drain  u undrain  r restart  l logs  s shell"
  `)
})

test('a request shows the decision behind it once that is known', async () => {
  const {screen, type, wanted, happen} = shown({view: 'requests', columns: 100, rows: 27})
  await seen(screen, 'live')
  type('\r')
  await seen(screen, 'The decision: being asked for')
  expect(wanted).toEqual(['decide'])
  const terms = {waitMs: 0, loadMs: 4000, promptMs: 90, answerMs: 700, networkMs: 3, riskMs: 0}
  happen({
    kind: 'decided',
    request: 'r1',
    known: {
      request: liveRequest('r1'),
      planIs: 'then',
      plan: {
        model: 'llama3.2:latest',
        policy: 'expected-time',
        promptTokens: 30,
        candidates: [
          {
            ...terms,
            node: 'gpu-1',
            loadMs: 0,
            harmMs: 0,
            totalMs: 793,
            residency: 'loaded',
            inFlight: 2,
            guessed: [],
          },
          {
            ...terms,
            node: 'gpu-3',
            harmMs: 20,
            totalMs: 4813,
            residency: 'cold',
            inFlight: 0,
            guessed: ['load'],
          },
        ],
        excluded: [{node: 'gpu-2', reason: 'down', text: 'connection refused'}],
      },
    },
  })
  await seen(screen, 'expected of each node')
  expect(screen.text()).toMatchInlineSnapshot(`
    " ollamax top  lab  gateway http://gate:11435                                                   live
      1 overview   2 nodes   3 models  [4 requests]  5 events  > request r1
    request        r1
    arrived        11:59:58 (2s)
    state          running
    route          /api/chat
    model          llama3.2:latest
    node           gpu-1
    why            loaded and free
    attempts       1
    queue          12ms
    first byte     180ms
    in all         2.0s
    tokens         64

    The decision (expected-time; as it stood then): what was expected of each node
    NODE   TOTAL  WAIT  LOAD   PROMPT  ANSWER  NET  RISK  HARM  MODEL   BUSY
    gpu-1  793ms  0ms   0ms    90ms    700ms   3ms  0ms   0ms   loaded  2
    gpu-3  4.8s   0ms   4.0s?  90ms    700ms   3ms  0ms   20ms  cold    0

    Could not take it
    gpu-2          connection refused




     ? help  : command  esc back  d drain  u undrain  r restart  l logs  s shell  p pull  c cancel"
  `)
})

test('a log shows its newest lines, a filter only those that fit, and its end', async () => {
  const {screen, type, happen} = shown({view: 'nodes', rows: 15})
  await seen(screen, 'live')
  type('l')
  await seen(screen, 'waiting for the log')
  const text = Array.from({length: 40}, (_, at) => `line ${at}\u001b[1m red\n`).join('')
  happen({kind: 'log', node: 'gpu-1', text})
  await seen(screen, 'line 39 [1m red')
  expect(screen.text()).not.toContain('line 28')
  type('/')
  type('line 3 !red3')
  await seen(screen, /line 23 .*\nline 30 /)
  type('\u001b')
  happen({kind: 'log-ended', node: 'gpu-1', why: 'the connection was lost; next: press l again'})
  await seen(screen, 'the connection was lost; next: press l again')
})

test('the help shows every key, every column and every command', async () => {
  const {screen, type} = shown({rows: 100})
  await seen(screen, 'live')
  type('?')
  await seen(screen, '> help')
  const text = screen.text()
  for (const {keys, about} of KEYMAP) {
    expect(text).toContain(keys.join(' '))
    expect(text).toContain(about.slice(0, 40))
  }
  for (const {name, about} of COMMANDS) {
    expect(text).toContain(`:${name}`)
    expect(text).toContain(about.slice(0, 40))
  }
})

test.each([
  [60, 15],
  [80, 24],
  [200, 50],
])('at %dx%d every view fills the screen exactly and none is wider', async (columns, rows) => {
  for (const view of VIEWS) {
    const state = topState({frame: FRAME, columns, rows})
    state.press(String(VIEWS.indexOf(view) + 1))
    for (const keys of [[], ['enter'], ['esc', '/', 'x'], ['esc', '?'], ['esc', ':', 'dr']]) {
      state.press(...keys)
      const lines = picture(state.state(), THEME)
      expect(lines).toHaveLength(rows)
      for (const line of lines) expect(widthOf(line), `${view} ${keys}: ${line}`).toBe(columns)
    }
  }
})

test('a smaller terminal says what it needs, and a larger one shows all again', async () => {
  const {screen, happen} = shown()
  await seen(screen, 'live')
  happen({kind: 'size', size: {columns: 40, rows: 8}})
  await seen(screen, '40x8: too small, 60x15 needed; q leaves')
  happen({kind: 'size', size: {columns: 60, rows: 15}})
  await seen(screen, '[1 overview]')
})

test('a lost source shows how old everything is, until it is there again', async () => {
  const {screen, happen} = shown()
  await seen(screen, 'live')
  const source = {kind: 'gateway', url: 'http://gate:11435'} as const
  happen({kind: 'link', link: {state: 'lost', source, reason: 'connection refused'}})
  await seen(screen, /LOST, trying again; data of now/)
  await seen(screen, 'connection refused')
  happen({kind: 'link', link: {state: 'live', source}})
  await seen(screen, /live$/m)
  expect(screen.text()).not.toContain('LOST')
})

test('letters of names are never obeyed by the terminal', async () => {
  const evil = 'x\u001b]0;title\u0007\u001b[2J\u009b31m\u202egpj\r\n'
  const {screen, happen, type} = shown({view: 'nodes', color: true})
  const node = liveNode(evil, {
    state: 'down',
    reason: evil,
    target: evil,
    version: evil,
    labels: {[evil]: evil},
  })
  happen({
    kind: 'frame',
    frame: wholeFrame([node], {requests: [liveRequest(evil, {model: evil, reason: evil})]}),
  })
  happen({kind: 'told', told: {tone: 'bad', text: evil}})
  // The screen of this test throws at everything that the painter has no business to say.
  await seen(screen, 'x ]0;title')
  for (const keys of ['\r', '4', '\r', '2', 'd', 'y', ':node ']) type(keys)
  await seen(screen, /^ :node _ {3}x \]0;title/m)
})
