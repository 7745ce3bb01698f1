import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Artifact, makeArtifact} from '../lab/artifact.ts'
import {installExternally} from '../lab/external-ollama.ts'
import {type Lab, startLab} from '../lab/lab.ts'
import {type ChatPane, openPane} from '../support/chat-pane.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {ollamax, RESTORED} from '../support/tmux.ts'

const test = needs(...LAB_NEEDS, 'tmux')
let lab: Lab
let artifact: Artifact
let chat: ChatPane | undefined
const ASKED_AGAIN = /password[\s\S]*password/i

// A host whose sshd wants a password, known to ollamax by a cluster file written by hand.
beforeAll(async () => {
  ;[lab, artifact] = await Promise.all([startLab({hosts: 1}), makeArtifact()])
  await installExternally(lab, 1, {artifact, script: {answer: 'said by h1'}})
  await lab.exec(1, 'rm -rf ~pat/.ssh')
  const clusters = join(lab.home.env.OLLAMAX_HOME ?? '', 'clusters')
  mkdirSync(clusters, {recursive: true})
  const file = 'apiVersion: ollamax/v1\nkind: Cluster\nnodes:\n  - name: h1\n    ssh: pat@h1\n'
  writeFileSync(join(clusters, 'default.yaml'), file, {mode: 0o600})
})
afterAll(async () => {
  chat?.close()
  artifact?.dispose()
  await lab?.close()
})

test('a password that SSH wants is asked for in the midst of a chat, unseen, and the chat goes on', async () => {
  const env = {...lab.home.env, OLLAMAX_SSH_CONFIG: join(lab.dir, 'ssh_config')}
  const pane = openPane(lab.inside(ollamax('chat', 'tiny')), {env})
  chat = pane
  await pane.sees('>>>')
  pane.say('hello')
  await pane.sees(/password/i)
  pane.say('wrong')
  await pane.sees(ASKED_AGAIN)
  pane.press('C-c')
  await pane.sees('(cancelled)')
  pane.mark()
  pane.say('hello')
  await pane.sees(/password/i)
  pane.say('pat-pw')
  await pane.sees(/said by h1\s+h1 · /)
  for (const word of ['wrong', 'pat-pw']) expect(pane.history()).not.toContain(word)
  pane.mark()
  pane.say('again')
  await pane.sees(/said by h1\s+h1 · /)
  pane.press('C-d')
  expect(await pane.ended()).toBe(0)
  expect(pane.terminal()).toEqual(RESTORED)
})
