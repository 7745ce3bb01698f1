// What a decision costs, measured: all nodes can take the request, half of the prompts have a beginning to look up.
import {Dispatcher} from '../../src/lib/balancer/dispatcher.ts'
import {Chance} from '../../src/lib/simulator/clock.ts'

const STATS = {
  totalMs: 100,
  loadMs: 1,
  promptTokens: 100,
  promptMs: 20,
  answerTokens: 50,
  answerMs: 79,
}

/** Microseconds per request, from its submission to what is learned from its answer. */
export function timeDecision(nodes: number): number {
  const dispatcher = new Dispatcher({
    random: new Chance(1).next,
    sink: {
      send() {},
      queued() {},
      refuse(_, why) {
        throw new Error(why.kind)
      },
    },
  })
  const names = Array.from({length: nodes}, (_, at) => `n${at}`)
  const model = {name: 'm:latest', digest: 'd', sizeBytes: 2e9, modifiedAt: ''}
  const loaded = {...model, vramBytes: 2e9, contextLength: 4096, expiresAt: ''}
  dispatcher.setNodes(
    names.map((name) => ({name, drained: false, labels: {}, slots: 32})),
    0,
  )
  for (const node of names)
    dispatcher.observe(
      {kind: 'up', node, atMs: 0, latencyMs: 1, models: [model], loaded: [loaded]},
      0,
    )
  const prefix = Array.from({length: 40}, (_, at) => at)
  let nowMs = 0
  let id = 0
  const run = (count: number) => {
    for (let done = 0; done < count; done++) {
      nowMs += 0.05
      id++
      dispatcher.submit(
        {
          ...{id, model: 'm', promptTokens: 100, tenant: '', priority: 'normal' as const},
          ...{prefix: id % 2 ? prefix : [], blockTokens: 64, canSetNumCtx: true, streams: true},
        },
        nowMs,
      )
      const oldest = id - 32
      if (oldest <= 0) continue
      dispatcher.began(oldest, nowMs)
      dispatcher.settle(oldest, {kind: 'ok', stats: STATS}, nowMs)
    }
  }
  const count = Math.max(2000, Math.floor(1_000_000 / nodes))
  run(count / 4)
  const startedMs = performance.now()
  run(count)
  return ((performance.now() - startedMs) * 1000) / count
}
