import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {expect, test} from 'vitest'
import type {Report} from '../../../src/lib/cluster/report.ts'
import {pullAt} from '../../../src/lib/jobs/pull-on-node.ts'

/** What Ollama says of a model of two files, one after the other. */
const SAID = [
  {status: 'pulling manifest'},
  {status: 'pulling aa', digest: 'sha256:aa', total: 100, completed: 50},
  {status: 'pulling aa', digest: 'sha256:aa', total: 100, completed: 100},
  {status: 'pulling bb', digest: 'sha256:bb', total: 300, completed: 300},
  {status: 'success'},
]

test('the progress of a pull is one step of one size, however many files it has', async () => {
  const server = createServer((_, response) => {
    response.end(SAID.map((line) => `${JSON.stringify(line)}\n`).join(''))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const reports: Report[] = []
  const {signal} = new AbortController()
  try {
    const report = (event: Report) => void reports.push(event)
    await pullAt({kind: 'url', url, headers: {}}, 'n1', {model: 'm', report, signal})
  } finally {
    server.close()
  }
  expect(new Set(reports.map((event) => 'step' in event && event.step))).toEqual(
    new Set(['pull m']),
  )
  expect(reports[0]).toMatchObject({kind: 'start', subject: 'n1'})
  expect(reports.at(-2)).toMatchObject({kind: 'bytes', done: 400, total: 400})
  expect(reports.at(-1)).toMatchObject({kind: 'done', subject: 'n1'})
})
