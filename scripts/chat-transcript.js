// Records the transcript in docs/chat.md: a chat in tmux with two stand-in nodes, and what then stands on the terminal.
import {readFileSync, writeFileSync} from 'node:fs'
import {dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {openPane} from '../test/support/chat-pane.ts'
import {clusterHome} from '../test/support/cluster-home.ts'
import {startFakeOllama} from '../test/support/fake-ollama.ts'
import {ollamax} from '../test/support/tmux.ts'

const file = join(resolve(dirname(fileURLToPath(import.meta.url)), '..'), 'docs/chat.md')
const DONE = /n\d · \d+ tokens · [\d.]+ tokens\/s/

const first = `## Quicksort

A **fast** sort, with \`O(n log n)\` on average:

1. choose a pivot
2. put what is smaller before it, the rest behind it
   - in place, or into new lists
3. sort both parts the same way

\`\`\`python
def quick(values):
    if len(values) < 2:
        return values
    pivot, *rest = values
    return (quick([v for v in rest if v < pivot]) + [pivot]
            + quick([v for v in rest if v >= pivot]))
\`\`\`

| case  | cost    |
|-------|--------:|
| best  | n log n |
| worst | n²      |
`
const models = ['llama3.2', 'qwen3:8b', {name: 'llava:7b', capabilities: ['completion', 'vision']}]
const settings = {models, answer: first, decodeTokensPerS: 60, firstTokenDelayMs: 120}
const nodes = [await startFakeOllama(settings), await startFakeOllama(settings)]
const home = clusterHome(nodes)
const pane = openPane(ollamax('chat', 'llama3.2'), {
  env: {...home.env, NO_COLOR: '1'},
  cwd: home.dir,
  rows: 40,
})
try {
  await pane.sees('>>>')
  await answered('How does quicksort work?')
  pane.type('/model q')
  pane.press('Tab')
  await pane.sees('>>> /model qwen3:8b')
  pane.press('Enter')
  await pane.sees('the model is qwen3:8b')
  await answer(
    'It is rarely the worst case: choose the pivot by chance, and no input is bad *by itself*.',
  )
  pane.type('And the worst case,')
  pane.press('M-Enter')
  pane.type('does it happen?')
  pane.press('Enter')
  await pane.sees(/bad \*?by\s+itself/)
  await pane.sees(/n\d · \d+ tokens[^\n]*\n\n>>>[^\n]*\n[^\n]*help$/)
  await answer('One two three four five six seven eight nine ten '.repeat(5))
  pane.mark()
  pane.say('Count to fifty.')
  await pane.sees('six seven')
  pane.press('C-c')
  await pane.sees('(cancelled)')
  pane.say('/image cat.png')
  await pane.sees('cannot be taken')
  pane.say('/save sorting')
  await pane.sees('saved to')
  const text = readFileSync(file, 'utf8')
  const shown = pane
    .history()
    .replaceAll(home.dir, '~')
    .split('\n')
    .map((line) => line.trimEnd())
  const part = /(<!-- recorded -->\n)[\s\S]*?(\n<!-- end -->)/
  writeFileSync(
    file,
    text.replace(part, (_, begin, end) => `${begin}\n~~~text\n${shown.join('\n')}\n~~~\n${end}`),
  )
} finally {
  pane.close()
  for (const node of nodes) await node.close()
  home.dispose()
}

async function answered(text) {
  pane.mark()
  pane.say(text)
  await pane.sees(DONE)
}

async function answer(text) {
  for (const node of nodes) await node.set({answer: text})
}
