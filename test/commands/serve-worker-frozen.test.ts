import {expect, test} from 'vitest'
import {pinnedToBoth, whoServes} from '../support/pinned.ts'
import {SLOW, serveHarness} from '../support/serve-harness.ts'
import {waitFor} from '../support/wait-for.ts'

const {node, write, serve} = serveHarness()
const PROMPT = {model: 'tiny', prompt: 'hi'}

test('a worker that stands still is killed, and gives back what it holds of the nodes', async () => {
  const slow = await node({...SLOW, answerTokens: 100_000, slots: 1})
  write([slow], ', ollama: {env: {OLLAMA_NUM_PARALLEL: "1"}}')
  const {url, log, logged} = await serve(['--workers', '2'])
  const clients = await pinnedToBoth(url)
  const workers = () =>
    log()
      .filter(({msg}) => msg === 'a worker listens')
      .map(({worker}) => Number(worker))
  try {
    const held = await clients[0].begin('/api/generate', PROMPT)
    held.on('error', () => {})
    const frozen = await whoServes(workers(), held.socket.localPort)
    process.kill(frozen, 'SIGSTOP')
    // The only slot is in its hands.
    const next = clients[1].begin('/api/generate', PROMPT)
    const {worker} = await logged('a worker answers nothing and is killed')
    expect(worker).toBe(frozen)
    const begun = await next
    expect(begun.statusCode).toBe(200)
    begun.destroy()
    await waitFor('another one', () => workers().length === 3)
  } finally {
    for (const client of clients) client.close()
  }
}, 90_000)
