import {lstatSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import fc from 'fast-check'
import {afterEach, beforeEach, expect, test} from 'vitest'
import type {ClusterEdit} from '../../../src/lib/cluster/cluster-edit.ts'
import type {NodeSpec, SshNode} from '../../../src/lib/cluster/node.ts'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {compile} from '../../../src/lib/state/compile.ts'
import {editCluster} from '../../../src/lib/state/edit.ts'
import {clusterFile} from '../../../src/lib/state/load.ts'
import {type Paths, pathsFor} from '../../../src/lib/state/paths.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

let home: TempHome
let paths: Paths
let file: string
beforeEach(() => {
  home = tempHome()
  paths = pathsFor(home.env)
  file = clusterFile(paths, 'lab')
  mkdirSync(dirname(file), {recursive: true})
})
afterEach(() => home.dispose())

const ssh = (name: string, more: Partial<SshNode> = {}): SshNode => ({
  kind: 'ssh',
  name,
  ssh: `root@${name}`,
  labels: {},
  drained: false,
  ollama: {},
  ...more,
})

async function edited(text: string, change: (edit: ClusterEdit) => void): Promise<string> {
  writeFileSync(file, text)
  await editCluster({paths, name: 'lab'}, change)
  return readFileSync(file, 'utf8')
}

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

const HAND_MADE = `# The lab, second floor.
# Ask Kim before you touch it.


apiVersion:   ollamax/v1      # do not change
kind: "Cluster"

defaults:   {readTimeout: 3s,  keepAlive: '10m'}   # generous

nodes:
    # --- fast ones ---
    - name: gpu-1             # the loud one
      ssh: ubuntu@gpu-1
      labels: {tier: fast,  rack: r1}

      ollama:
          env:
              OLLAMA_NUM_PARALLEL: 4   # tried 8, too slow

    # --- slow ones ---
    - {name: old, ssh: old, drained: yes-no}
    - name: 'mac'
      # reached over Wi-Fi
      ssh: kim@mac

# the end
`.replace('drained: yes-no', 'drained: true')

test('adding a node adds its lines and changes nothing else', async () => {
  const text = await edited(HAND_MADE, (edit) => edit.addNode(ssh('new', {labels: {a: 'b'}})))
  const added = text.split('\n').filter((line) => !HAND_MADE.split('\n').includes(line))
  expect(added.map((line) => line.trim())).toEqual([
    '- name: new',
    'ssh: root@new',
    'labels:',
    'a: b',
  ])
  expect(isSubsequence(HAND_MADE.split('\n'), text.split('\n'))).toBe(true)
})

test('draining a node changes one line', async () => {
  const text = await edited(HAND_MADE, (edit) => edit.replaceNode('gpu-1', drained(edit, 'gpu-1')))
  const lines = text.split('\n')
  expect(lines.length).toBe(HAND_MADE.split('\n').length + 1)
  expect(lines.filter((line) => /drained: true$/.test(line))).toEqual(['      drained: true'])
  expect(isSubsequence(HAND_MADE.split('\n'), lines)).toBe(true)
})

test('a node in flow style stays in flow style', async () => {
  const text = await edited(HAND_MADE, (edit) =>
    edit.replaceNode('old', ssh('old', {ssh: 'new-address', labels: {x: 'y'}})),
  )
  expect(text).toContain('{name: old, ssh: new-address, labels: {x: y}}')
})

test('removing a node removes its lines and leaves the comments around it', async () => {
  const text = await edited(HAND_MADE, (edit) => edit.removeNode('gpu-1'))
  for (const kept of [
    '# Ask Kim',
    '# do not change',
    '# generous',
    '--- fast',
    '--- slow',
    '# the end',
  ])
    expect(text).toContain(kept)
  expect(text).not.toContain('gpu-1')
  expect(text).toContain('apiVersion:   ollamax/v1      # do not change\n')
  expect(text).toContain("defaults:   {readTimeout: 3s,  keepAlive: '10m'}   # generous\n")
})

test('the last node can go and the next one come', async () => {
  const one = 'apiVersion: ollamax/v1\nkind: Cluster\nnodes: # mine\n  - name: a\n    ssh: a\n'
  const none = await edited(one, (edit) => edit.removeNode('a'))
  expect(none).toContain('# mine')
  const again = await edited(none, (edit) => edit.addNode(ssh('b')))
  expect(again).toContain('# mine')
  expect(compile({name: 'lab', text: again, file}).cluster.nodes).toEqual([ssh('b')])
})

test('nodes can be written as nothing, as null and as an empty list', async () => {
  for (const nodes of [
    '',
    'nodes:\n',
    'nodes: # none yet\n',
    'nodes: ~\n',
    'nodes: []\n',
    'nodes: [ ] # x\n',
  ]) {
    const text = await edited(`apiVersion: ollamax/v1\nkind: Cluster\n${nodes}`, (edit) => {
      edit.addNode(ssh('a'))
      edit.addNode(ssh('b'))
    })
    expect(compile({name: 'lab', text, file}).cluster.nodes).toEqual([ssh('a'), ssh('b')])
    for (const comment of nodes.match(/#.*/g) ?? []) expect(text).toContain(comment)
  }
})

test('line ends of Windows stay', async () => {
  const text = await edited(HAND_MADE.replaceAll('\n', '\r\n'), (edit) => edit.addNode(ssh('new')))
  expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
})

test('a change that changes nothing does not write', async () => {
  writeFileSync(file, HAND_MADE)
  const before = lstatSync(file)
  await editCluster({paths, name: 'lab'}, (edit) => edit.cluster.nodes.length)
  expect(lstatSync(file).ino).toBe(before.ino)
})

test('a change that throws half-way changes nothing', async () => {
  writeFileSync(file, HAND_MADE)
  const error = await caught(
    editCluster({paths, name: 'lab'}, (edit) => {
      edit.addNode(ssh('new'))
      edit.addNode(ssh('gpu-1'))
    }),
  )
  expect(OllamaxError.is(error, 'NODE_EXISTS')).toBe(true)
  expect(readFileSync(file, 'utf8')).toBe(HAND_MADE)
})

test('a change that would make the file invalid is refused', async () => {
  writeFileSync(file, HAND_MADE)
  const error = await caught(
    editCluster({paths, name: 'lab'}, (edit) => edit.addNode(ssh('new', {ssh: 'two words'}))),
  )
  if (!OllamaxError.is(error, 'BAD_INPUT')) throw error
  expect(error.message).toContain('nodes[3].ssh must hold no spaces')
  expect(readFileSync(file, 'utf8')).toBe(HAND_MADE)
})

test('an anchor that two nodes share is not changed behind the back of one', async () => {
  const shared = `apiVersion: ollamax/v1
kind: Cluster
nodes:
  - {name: a, ssh: a, labels: &l {tier: fast}}
  - {name: b, ssh: b, labels: *l}
`
  writeFileSync(file, shared)
  const slow = (edit: ClusterEdit) =>
    edit.replaceNode('a', ssh('a', {ssh: 'a', labels: {tier: 'slow'}}))
  const error = await caught(editCluster({paths, name: 'lab'}, slow))
  expect(OllamaxError.is(error, 'CONFIG_INVALID')).toBe(true)
  expect(readFileSync(file, 'utf8')).toBe(shared)
})

test('a node that is not there is refused with the nearest name', async () => {
  writeFileSync(file, HAND_MADE)
  const error = await caught(editCluster({paths, name: 'lab'}, (edit) => edit.removeNode('gpu1')))
  if (!OllamaxError.is(error, 'NODE_NOT_FOUND')) throw error
  expect(error.suggestions).toEqual(['did you mean "gpu-1"?'])
})

test('settings are set and taken away by their path', async () => {
  const set = await edited(HAND_MADE, (edit) => {
    edit.set(['policy'], 'round-robin')
    edit.set(['defaults', 'readTimeout'], '5s')
    edit.set(['nodes', 'mac', 'labels', 'tier'], 'slow')
    expect(edit.cluster.policy).toBe('round-robin')
  })
  const {cluster} = compile({name: 'lab', text: set, file})
  expect(cluster.defaults).toEqual({readTimeoutMs: 5000, keepAliveSeconds: 600})
  expect(cluster.nodes[2]?.labels).toEqual({tier: 'slow'})
  const unset = await edited(set, (edit) => {
    edit.set(['policy'], undefined)
    edit.set(['nodes', 'mac', 'labels'], undefined)
    edit.set(['defaults', 'readTimeout'], '3s')
  })
  // Only the line that was written twice has lost the spaces by which it was aligned.
  const evened = (of: string) => of.replace(/^defaults:.*$/m, (line) => line.replaceAll(/ +/g, ' '))
  expect(unset).toBe(evened(HAND_MADE))
})

test('a linked file is changed where it lies, and the link stays', async () => {
  const real = join(home.dir, 'dotfiles.yaml')
  writeFileSync(real, HAND_MADE)
  symlinkSync(real, file)
  await editCluster({paths, name: 'lab'}, (edit) => edit.addNode(ssh('new')))
  expect(lstatSync(file).isSymbolicLink()).toBe(true)
  expect(realpathSync(file)).toBe(realpathSync(real))
  expect(readFileSync(real, 'utf8')).toContain('name: new')
})

function drained(edit: ClusterEdit, name: string): NodeSpec {
  const node = edit.cluster.nodes.find((one) => one.name === name)
  if (!node) throw new Error(name)
  return {...node, drained: true}
}

function isSubsequence(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0
  for (const line of whole) if (line === part[at]) at++
  return at === part.length
}

const NODES = ['a', 'b', 'c', 'd']

/** A cluster file of four nodes as a person might write it: any comments, blank lines and styles. */
const handMade = fc
  .record({
    indent: fc.constantFrom(2, 4),
    step: fc.constantFrom('', '  ', '    '),
    noise: fc.array(fc.constantFrom('', '', '# a', '#b', '   # c: d', '', '\n', '# - name: x'), {
      minLength: 16,
      maxLength: 16,
    }),
    styles: fc.array(fc.constantFrom('flow', 'block', 'quoted', 'label'), {
      minLength: 4,
      maxLength: 4,
    }),
    tail: fc.array(fc.constantFrom('', '  # t', ' #u', '      # v'), {
      minLength: 12,
      maxLength: 12,
    }),
  })
  .map(({step, noise, styles, tail}) => {
    const lines: string[] = []
    let at = 0
    const rest = () => tail[at % tail.length] ?? ''
    const put = (line: string, noisy = true) => {
      const extra = noise[at++ % noise.length]
      if (noisy && extra !== undefined && at % 2 === 0) lines.push(...extra.split('\n'))
      lines.push(line + rest())
    }
    put('apiVersion: ollamax/v1')
    put('kind:  Cluster')
    put('nodes:')
    for (const [index, name] of NODES.entries()) {
      const style = styles[index]
      const inner = `${step}  `
      if (style === 'flow') put(`${step}- {name: ${name},  ssh: ${name}}`)
      else {
        put(`${step}- name: ${style === 'quoted' ? `"${name}"` : name}`)
        put(`${inner}ssh: ${style === 'quoted' ? `'${name}'` : name}`)
        if (style === 'label') {
          put(`${inner}labels:`)
          put(`${inner}    tier: fast`)
        }
      }
    }
    lines.push(...(noise[0] ?? '').split('\n'), '')
    return lines.join('\n')
  })

const change = fc.oneof(
  fc.record({kind: fc.constant('add' as const), name: fc.constantFrom('new', 'zz')}),
  fc.record({kind: fc.constant('drain' as const), name: fc.constantFrom(...NODES)}),
  fc.record({kind: fc.constant('remove' as const), name: fc.constantFrom(...NODES)}),
)

test('whatever a file looks like, a change does what it says and all other lines and comments stay', async () => {
  await fc.assert(
    fc.asyncProperty(handMade, change, async (source, {kind, name}) => {
      const before = compile({name: 'lab', text: source, file}).cluster.nodes
      const text = await edited(source, (edit) => {
        if (kind === 'add') edit.addNode(ssh(name))
        else if (kind === 'drain') edit.replaceNode(name, drained(edit, name))
        else edit.removeNode(name)
      })
      const after = compile({name: 'lab', text, file}).cluster.nodes
      const others = before.filter((node) => node.name !== name)
      expect(after.filter((node) => node.name !== name)).toEqual(others)
      const own = after.find((node) => node.name === name)
      if (kind === 'add') expect(own).toEqual(ssh(name))
      else if (kind === 'drain') expect(own?.drained).toBe(true)
      else expect(own).toBeUndefined()
      const comments = (of: string) => of.match(/#.*/g)?.length ?? 0
      if (kind !== 'remove') expect(comments(text)).toBe(comments(source))
      // In block style a change adds lines; in flow style it rewrites the node's own line.
      const flow = source.includes(`{name: ${name},`)
      const kept = source.split('\n').filter((line) => !(flow && line.includes(`{name: ${name},`)))
      // Only the indentation of a comment right below a changed node may change.
      const words = (lines: readonly string[]) =>
        lines.map((line) => line.trimStart()).filter(Boolean)
      // A comment below a node that is indented deeper than it may be moved to the node's own line.
      // So may one behind a key with a blank line below it.
      const odd = source.includes('\n   #') || /:[ ]+#[^\n]*\n\s*\n/.test(source)
      if (kind !== 'remove' && !odd)
        expect(isSubsequence(words(kept), words(text.split('\n')))).toBe(true)
    }),
    {numRuns: 200},
  )
}, 60_000)
