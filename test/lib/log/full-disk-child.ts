// Logs to its standard output, a file on a small disk, until that is full; makes room, and goes on.
import {readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {makeLog} from '../../../src/lib/log/make-log.ts'
import {requestRecord} from '../../support/request-record.ts'

const dir = process.argv[2] ?? ''
const filler = join(dir, 'filler')
writeFileSync(filler, Buffer.alloc(400 * 1024))
const losses: string[] = []
const log = makeLog({stream: process.stdout, onLoss: (message) => losses.push(message)})
for (let at = 0; losses.length === 0; at++) {
  log.access(requestRecord({requestId: `before-${at}`}))
  if (at % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
}
rmSync(filler)
log.access(requestRecord({requestId: 'after'}))
await log.close()
process.stderr.write(
  JSON.stringify({
    dropped: log.droppedLines(),
    losses,
    log: readFileSync(join(dir, 'log'), 'utf8'),
  }),
)
