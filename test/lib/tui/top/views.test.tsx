import {expect, test} from 'vitest'
import {liveRequest} from '../../../support/fake-fleet.ts'
import {seen, shown} from '../../../support/top-view.tsx'

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
