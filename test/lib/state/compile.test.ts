import {expect, test} from 'vitest'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {compile} from '../../../src/lib/state/compile.ts'
import {describeConfig} from '../../../src/lib/state/describe.ts'

const HEAD = 'apiVersion: ollamax/v1\nkind: Cluster\n'

function problemsOf(text: string): string[] {
  try {
    compile({name: 'lab', text, file: '/x/lab.yaml'})
  } catch (error) {
    if (!OllamaxError.is(error, 'CONFIG_INVALID')) throw error
    return error.message
      .split('\n')
      .slice(1)
      .filter((line) => line.startsWith('  lab.yaml'))
      .map((line) => line.trim())
  }
  return []
}

const node = (lines: string) => `${HEAD}nodes:\n  - name: a\n    ssh: a\n${lines}`

test('a gateway hedges only where the file says so', () => {
  const gatewayOf = (more: string) =>
    compile({
      ...{name: 'lab', file: 'lab.yaml'},
      text: `${HEAD}gateway: {url: http://127.0.0.1:11435${more}}\n`,
    }).cluster.gateway
  expect(gatewayOf('')).toEqual({url: 'http://127.0.0.1:11435'})
  expect(gatewayOf(', hedge: true')?.hedge).toBe(true)
  expect(problemsOf(`${HEAD}gateway: {url: http://a, hedge: often}`)).toEqual([
    expect.stringContaining('gateway.hedge'),
  ])
})

test('everything that may stand in a file is understood', () => {
  const {cluster} = compile({
    name: 'lab',
    file: 'lab.yaml',
    text: `${HEAD}policy: round-robin
defaults: {readTimeout: 1.5s, keepAlive: forever, reuseIdle: 0}
nodes:
  - name: gpu-1
    ssh: ubuntu@gpu-1:2222
    hostKey: SHA256:${'A'.repeat(43)}
    install: user
    labels: {tier: fast, slots: 4, spare: true}
    drained: true
    ollama: {version: 0.33.0, port: 11500, env: {OLLAMA_NUM_PARALLEL: 4, OLLAMA_FLASH_ATTENTION: true}}
  - name: shared
    url: http://10.0.0.9:11434/base
    headers: {Authorization: {env: TOKEN}, X-Api-Key: {file: ~/key}, X-Team: lab}
    ca: ca.pem
  - name: own
    embedded: true
`.replace('reuseIdle: 0', "reuseIdle: '0'"),
  })
  expect(cluster).toEqual({
    name: 'lab',
    policy: 'round-robin',
    defaults: {readTimeoutMs: 1500, keepAliveSeconds: -1, reuseIdleMs: 0},
    nodes: [
      {
        kind: 'ssh',
        name: 'gpu-1',
        ssh: 'ubuntu@gpu-1:2222',
        hostKey: `SHA256:${'A'.repeat(43)}`,
        install: 'user',
        labels: {tier: 'fast', slots: '4', spare: 'true'},
        drained: true,
        ollama: {
          version: '0.33.0',
          port: 11500,
          env: {OLLAMA_NUM_PARALLEL: '4', OLLAMA_FLASH_ATTENTION: 'true'},
        },
      },
      {
        kind: 'direct',
        name: 'shared',
        url: 'http://10.0.0.9:11434/base',
        headers: {Authorization: {env: 'TOKEN'}, 'X-Api-Key': {file: '~/key'}, 'X-Team': 'lab'},
        ca: 'ca.pem',
        labels: {},
        drained: false,
        ollama: {},
      },
      {kind: 'embedded', name: 'own', labels: {}, drained: false, ollama: {}},
    ],
  })
})

test.each([
  [
    'an unknown key',
    node('    lables: {a: b}\n'),
    ['lab.yaml:6:5 nodes[0].lables is not a known key; did you mean "labels"?'],
  ],
  [
    'an unknown key at the top',
    `${HEAD}polcy: x\n`,
    ['lab.yaml:3:1 polcy is not a known key; did you mean "policy"?'],
  ],
  [
    'an unknown key deep inside',
    node('    ollama:\n      prot: 3\n'),
    ['lab.yaml:7:7 nodes[0].ollama.prot is not a known key; did you mean "port"?'],
  ],
  ['a missing kind', 'apiVersion: ollamax/v1\n', ['lab.yaml:1:1 kind is missing']],
  [
    'a later format',
    'apiVersion: ollamax/v2\nkind: Cluster\n',
    ['lab.yaml:1:13 apiVersion is "ollamax/v2"; this ollamax reads only ollamax/v1'],
  ],
  [
    'a name with spaces',
    `${HEAD}nodes: [{name: a b, ssh: a}]`,
    [/^lab.yaml:3:16 nodes\[0\].name "a b" cannot be a name/],
  ],
  [
    'a name for the shell',
    `${HEAD}nodes: [{name: "$(id)", ssh: a}]`,
    [/nodes\[0\].name "\$\(id\)" cannot be a name/],
  ],
  [
    'a name twice',
    node('  - name: a\n    ssh: b\n'),
    ['lab.yaml:6:11 nodes[1].name "a" is taken by nodes[0]'],
  ],
  [
    'no address',
    `${HEAD}nodes: [{name: a}]`,
    ['lab.yaml:3:9 nodes[0] needs exactly one of ssh, url and embedded; it has none'],
  ],
  [
    'two addresses',
    node('    url: http://x\n'),
    [/nodes\[0\] needs exactly one of ssh, url and embedded; it has ssh and url/],
  ],
  [
    'a key of another kind',
    node('    headers: {X: y}\n'),
    ['lab.yaml:6:5 nodes[0].headers is only for nodes with url'],
  ],
  [
    'an option as address',
    `${HEAD}nodes: [{name: a, ssh: -oProxyCommand=x}]`,
    [/ssh must not begin with "-"/],
  ],
  [
    'a password in the address',
    `${HEAD}nodes: [{name: a, ssh: "me:secret@a"}]`,
    [/ssh must hold no password/],
  ],
  [
    'a password in the URL',
    `${HEAD}nodes: [{name: a, url: "http://me:secret@a"}]`,
    [/url must hold no user or password/],
  ],
  [
    'a URL of another scheme',
    `${HEAD}nodes: [{name: a, url: "file:///etc/passwd"}]`,
    [/url must be a URL that begins with http/],
  ],
  [
    'a literal Authorization',
    `${HEAD}nodes: [{name: a, url: http://a, headers: {authorization: x}}]`,
    [/headers.authorization is a secret/],
  ],
  [
    'a literal API key',
    `${HEAD}nodes: [{name: a, url: http://a, headers: {X-Api-Key: x}}]`,
    [/headers.X-Api-Key is a secret/],
  ],
  [
    'a literal cookie',
    `${HEAD}nodes: [{name: a, url: http://a, headers: {Cookie: x}}]`,
    [/headers.Cookie is a secret/],
  ],
  [
    'a bearer in any header',
    `${HEAD}nodes: [{name: a, url: http://a, headers: {X-Mine: Bearer x}}]`,
    [/headers.X-Mine is a secret/],
  ],
  [
    'a line break in a header',
    `${HEAD}nodes: [{name: a, url: http://a, headers: {X-Mine: "a\\r\\nb: c"}}]`,
    [/headers.X-Mine must hold no line breaks/],
  ],
  [
    'a secret variable',
    node('    ollama: {env: {OLLAMA_API_KEY: x}}\n'),
    [/env.OLLAMA_API_KEY looks like a secret/],
  ],
  [
    'a proxy with a password',
    node('    ollama: {env: {HTTPS_PROXY: "http://me:x@p"}}\n'),
    [/env.HTTPS_PROXY looks like a secret/],
  ],
  [
    'a variable that is none',
    node('    ollama: {env: {"A B": x}}\n'),
    [/env.A B is no variable name/],
  ],
  [
    'a line break in a variable',
    node('    ollama: {env: {OLLAMA_X: "a\\nb"}}\n'),
    [/env.OLLAMA_X must hold no line breaks/],
  ],
  [
    'an address by variable',
    node('    ollama: {env: {OLLAMA_HOST: 0.0.0.0}}\n'),
    [/env.OLLAMA_HOST is set by ollamax/],
  ],
  ['a bad label', node('    labels: {a b: c}\n'), [/labels.a b "a b" cannot be a label's key/]],
  [
    'a number as version',
    node('    ollama: {version: 0.33}\n'),
    [/version must be a text, not the number 0.33 \(put quotes around it\)/],
  ],
  ['a port out of range', node('    ollama: {port: 70000}\n'), [/ollama.port /]],
  [
    'a duration without unit',
    `${HEAD}defaults: {readTimeout: "3"}`,
    [/defaults.readTimeout "3" is not a duration/],
  ],
  [
    'a list of lists',
    `${HEAD}nodes: [[]]`,
    ['lab.yaml:3:9 nodes[0] must be a mapping, not a list'],
  ],
  ['a text instead of a file', 'hello', [/must be a mapping, not a text/]],
])('%s is refused with its place', (_, text, wanted) => {
  const found = problemsOf(text)
  expect(found.length).toBe(wanted.length)
  for (const [index, one] of wanted.entries())
    if (typeof one === 'string') expect(found[index]).toBe(one)
    else expect(found[index]).toMatch(one)
})

test('all problems are told at once, in the order of the file', () => {
  const found = problemsOf(`${HEAD}polcy: x\nnodes:\n  - name: a b\n    ssh: "x y"\n    port: 3\n`)
  expect(found.map((line) => line.split(' ')[0])).toEqual([
    'lab.yaml:3:1',
    'lab.yaml:5:11',
    'lab.yaml:6:10',
    'lab.yaml:7:5',
  ])
})

test('broken YAML is shown with its place and the lines around it', () => {
  const text = `${HEAD}nodes:\n  - name: a\n   ssh: b\n`
  expect(() => compile({name: 'lab', text, file: 'lab.yaml'})).toThrow(
    /lab\.yaml:5:\d+ [\s\S]*\n {3}ssh: b\n\s*\^/,
  )
})

test.each([
  ['a key twice', `${HEAD}kind: Cluster\n`, /Map keys must be unique/],
  ['a tag', `${HEAD}policy: !!js/function x\n`, /[Tt]ag/],
  ['two documents', `${HEAD}---\na: b\n`, /multiple documents/],
])('%s is refused', (_, text, what) => {
  expect(problemsOf(text).join('\n')).toMatch(what)
})

test('a file that would grow without bounds is refused, quickly', () => {
  let bomb = `${HEAD}x0: &x0 [a, a, a, a, a, a, a, a, a]\n`
  for (let i = 1; i < 12; i++)
    bomb += `x${i}: &x${i} [${Array(9)
      .fill(`*x${i - 1}`)
      .join(', ')}]\n`
  expect(problemsOf(bomb).join()).toMatch(/alias/)
})

test('__proto__ and constructor are keys like any other, and unknown', () => {
  const found = problemsOf(`${HEAD}__proto__: {polluted: true}\nconstructor: 1\n`)
  expect(found.map((line) => line.split(' ')[1])).toEqual(['__proto__', 'constructor'])
  expect(({} as {polluted?: unknown}).polluted).toBeUndefined()
})

test('the documentation of the file names every key, and its example is valid', () => {
  const text = describeConfig()
  for (const key of ['apiVersion', 'defaults.readTimeout', 'nodes[].ollama.env', 'nodes[].hostKey'])
    expect(text).toContain(`\`${key}\``)
  const example = /```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
  expect(compile({name: 'x', text: example, file: 'x'}).cluster.nodes.length).toBe(2)
})
