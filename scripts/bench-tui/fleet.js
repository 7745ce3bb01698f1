// The machinery around what bench-tui measures, in a process of its own: stand-in nodes, and requests at a steady rate to
// the URL that comes on standard input. Prints the nodes' URLs first, then how many requests have ended, each second.
import {createInterface} from 'node:readline'
import {startFakeOllama} from '../../test/support/fake-ollama.ts'

const [count, perSecond] = process.argv.slice(2).map(Number)
const named = (word, length) => Array.from({length}, (_, at) => ({name: `${word}-${at}:latest`}))
const models = named('model', 8)
// Nobody asks the gateway for these.
const others = named('other', 20)
const nodes = []
for (let at = 0; at < count; at++)
  nodes.push(
    await startFakeOllama({
      models: [...models, ...others],
      ...{loadMs: 0, decodeTokensPerS: 40, answerTokens: 16},
    }),
  )
console.log(JSON.stringify(nodes.map(({url}) => url)))

for await (const gateway of createInterface({input: process.stdin})) {
  let sent = 0
  let ended = 0
  const begun = performance.now()
  setInterval(() => {
    for (; sent < ((performance.now() - begun) / 1000) * perSecond; sent++)
      fetch(`${gateway}/api/generate`, {
        method: 'POST',
        body: JSON.stringify({model: models[sent % models.length].name, prompt: 'hi'}),
      })
        .then((reply) => reply.arrayBuffer())
        .catch(() => {})
        .finally(() => ended++)
  }, 10)
  setInterval(() => console.log(JSON.stringify({sent, ended})), 1000)
}
