import {expect, test} from 'vitest'
import {OllamaxError} from '../../../src/lib/errors.ts'
import {compile} from '../../../src/lib/state/compile.ts'

const HEAD = 'apiVersion: ollamax/v1\nkind: Cluster\n'
const read = (text: string) => compile({name: 'lab', file: 'lab.yaml', text: `${HEAD}${text}`})

/** What is wrong with a file, each with its place. */
function problemsOf(text: string): unknown {
  try {
    read(text)
  } catch (error) {
    if (!OllamaxError.is(error, 'CONFIG_INVALID')) throw error
    const problems = error.details?.problems as readonly {place: string; message: string}[]
    return problems.map(({place, message}) => `${place} ${message}`)
  }
  return []
}

test('groups, models and aliases are understood, with what is left out filled in', () => {
  const {cluster} = read(`groups:
  - labels: {tier: fast, slots: 4}
    ollama: {version: 0.33.0, env: {OLLAMA_NUM_PARALLEL: 4}}
  - labels: {}
    ollama: {}
models:
  - name: llama3.2:3b
    replicas: 2
    placement: {labels: {gpu: true}, strategy: pack}
    warm: true
    context: 8192
  - name: qwen3
    replicas: all
    pin: true
  - name: hf.co/a/b:Q4
aliases: {fast: llama3.2:3b, other: unlisted}
`)
  expect(cluster).toEqual({
    name: 'lab',
    nodes: [],
    groups: [
      {
        labels: {tier: 'fast', slots: '4'},
        ollama: {version: '0.33.0', env: {OLLAMA_NUM_PARALLEL: '4'}},
      },
      {labels: {}, ollama: {}},
    ],
    models: [
      {
        name: 'llama3.2:3b',
        replicas: 2,
        placement: {labels: {gpu: 'true'}, strategy: 'pack'},
        warm: true,
        pin: false,
        context: 8192,
      },
      {
        name: 'qwen3',
        replicas: 'all',
        placement: {labels: {}, strategy: 'spread'},
        // Kept in memory is a part of what pinning means.
        warm: true,
        pin: true,
      },
      {
        name: 'hf.co/a/b:Q4',
        replicas: 1,
        placement: {labels: {}, strategy: 'spread'},
        warm: false,
        pin: false,
      },
    ],
    aliases: {fast: 'llama3.2:3b', other: 'unlisted'},
  })
})

test('a file that says nothing of it wants nothing, and neither do empty lists', () => {
  expect(read('').cluster).toEqual({name: 'lab', nodes: []})
  expect(read('groups:\nmodels:\naliases:\n').cluster).toEqual({name: 'lab', nodes: []})
})

test.each([
  [
    'an unknown key of a model',
    'models: [{name: a, replica: 2}]',
    ['lab.yaml:3:20 models[0].replica is not a known key; did you mean "replicas"?'],
  ],
  [
    'an unknown key of a placement',
    'models:\n  - name: a\n    placement: {label: {a: b}}',
    ['lab.yaml:5:17 models[0].placement.label is not a known key; did you mean "labels"?'],
  ],
  [
    'a port of a group',
    'groups: [{labels: {}, ollama: {port: 3}}]',
    ['lab.yaml:3:32 groups[0].ollama.port is not a known key; known are version, env'],
  ],
  [
    'a group without labels',
    'groups: [{ollama: {}}]',
    ['lab.yaml:3:10 groups[0].labels is missing'],
  ],
  [
    'a secret in a group',
    'groups: [{labels: {}, ollama: {env: {API_KEY: x}}}]',
    [expect.stringMatching(/^lab.yaml:3:47 groups\[0\].ollama.env.API_KEY looks like a secret/)],
  ],
  [
    'no replica at all',
    'models: [{name: a, replicas: 0}]',
    ['lab.yaml:3:30 models[0].replicas must be a whole number from 1 on, or all'],
  ],
  [
    'replicas in a word',
    'models: [{name: a, replicas: some}]',
    ['lab.yaml:3:30 models[0].replicas must be a whole number from 1 on, or all'],
  ],
  [
    'a name that Ollama would refuse',
    'models: [{name: "a b"}]',
    ['lab.yaml:3:17 models[0].name "a b" is no name of a model'],
  ],
  [
    'the same model in two spellings',
    'models: [{name: Llama3.2}, {name: "library/llama3.2:latest"}]',
    ['lab.yaml:3:35 models[1].name "library/llama3.2:latest" is the same model as models[0]'],
  ],
  [
    'an alias that hides a model',
    'models: [{name: fast}]\naliases: {"Fast:latest": b}',
    ['lab.yaml:4:11 aliases.Fast:latest would hide the model models[0]; take another name'],
  ],
  [
    'an alias in two spellings',
    'aliases: {fast: a, Fast: b}',
    ['lab.yaml:3:20 aliases.Fast is the same name as aliases.fast'],
  ],
  [
    'an alias of an alias',
    'aliases: {fast: a, quick: fast}',
    ['lab.yaml:3:27 aliases.quick leads to the alias "fast"; name the model itself'],
  ],
  [
    'an alias of itself',
    'aliases: {fast: "fast:latest"}',
    ['lab.yaml:3:17 aliases.fast leads to itself; name a model'],
  ],
  [
    'an alias that is no name',
    'aliases: {"a b": c}',
    ['lab.yaml:3:18 aliases.a b "a b" cannot be an alias; it must be like a name of a model'],
  ],
  [
    'aliases that are a text',
    'aliases: fast',
    ['lab.yaml:3:10 aliases must be a mapping, not a text'],
  ],
])('%s is refused with its place', (_, text, expected) => {
  expect(problemsOf(text)).toEqual(expected)
})
