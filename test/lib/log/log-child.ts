// Logs to its standard output as the gateway does, and tells on standard error what became of it.
import {monitorEventLoopDelay} from 'node:perf_hooks'
import {makeLog} from '../../../src/lib/log/make-log.ts'
import {requestRecord} from '../../support/request-record.ts'

const [how, lines = '1'] = process.argv.slice(2)
const losses: string[] = []
const log = makeLog({stream: process.stdout, onLoss: (message) => losses.push(message)})
const delay = monitorEventLoopDelay({resolution: 5})
delay.enable()
for (let at = 0; at < Number(lines); at++) {
  log.access(requestRecord({requestId: `req-${at}`}))
  if (at % 200 === 0) await new Promise((resolve) => setImmediate(resolve))
}
if (how === 'exit') process.exit(0)
await log.close()
// With the log broken a child that ends by itself proves that nothing threw.
const worstMs = delay.max / 1e6
const heapMb = process.memoryUsage().rss / 1e6
process.stderr.write(JSON.stringify({dropped: log.droppedLines(), losses, worstMs, heapMb}), () => {
  process.exit(0)
})
