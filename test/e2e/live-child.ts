// Somebody who watches, on the operator's side of a lab, for so many seconds; prints what he sees as JSON lines.
//   live-child.ts machines|fleet SECONDS [SECONDS_BETWEEN_READINGS]

import {watchFleet} from '../../src/lib/jobs/live/watch-fleet.ts'
import {MachineWatch} from '../../src/lib/jobs/live/watch-machines.ts'
import {makeTools} from '../../src/lib/jobs/make-tools.ts'

const [what = '', seconds = '1', every = '3'] = process.argv.slice(2)
const stop = new AbortController()
setTimeout(() => stop.abort(), Number(seconds) * 1000)
const {signal} = new AbortController()
const tools = makeTools({env: process.env, signal})
const print = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
const beganMs = performance.now()
const atMs = () => Math.round(performance.now() - beganMs)
if (what === 'machines') {
  const watch = new MachineWatch(tools, {
    ...{signal: stop.signal, everyS: Number(every)},
    onReading: (node, reading) => print({atMs: atMs(), node, reading}),
  })
  watch.set(await tools.cluster())
  await new Promise((resolve) => stop.signal.addEventListener('abort', resolve))
  await watch.close()
} else
  await watchFleet(tools, {
    signal: stop.signal,
    onLink: (link) => print({link}),
    onFrame: ({nodes, events}) => {
      for (const node of nodes) print({atMs: atMs(), node: node.name, told: node})
      for (const event of events) print({event})
    },
  })
await tools.close()
print({ended: atMs(), cpu: process.cpuUsage()})
