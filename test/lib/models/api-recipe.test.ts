import {expect, test} from 'vitest'
import {apiRecipe} from '../../../src/lib/models/api-recipe.ts'
import type {Manifest} from '../../../src/lib/models/manifest.ts'

const TYPE = 'application/vnd.ollama.image.'
const layer = (kind: string, at: number) => ({
  mediaType: `${TYPE}${kind}`,
  digest: `sha256:${at}`,
  sizeBytes: at,
})
const manifest = (...kinds: string[]): Manifest => ({
  bytes: Buffer.alloc(0),
  digest: '',
  config: layer('config', 99),
  layers: kinds.map(layer),
})

test('files are uploaded, and texts go into the request as the API wants them', () => {
  const kinds = [
    'model',
    'projector',
    'template',
    'params',
    'system',
    'license',
    'license',
    'messages',
  ]
  const recipe = apiRecipe(manifest(...kinds))
  expect(recipe?.uploads.map(({digest}) => digest)).toEqual(['sha256:0', 'sha256:1'])
  const texts = new Map([
    ['sha256:2', '{{ .Prompt }}'],
    ['sha256:3', '{"stop":["x"],"num_ctx":8}'],
    ['sha256:4', 'be brief'],
    ['sha256:5', 'MIT'],
    ['sha256:6', 'BSD'],
    ['sha256:7', '[{"role":"user","content":"hi"}]'],
  ])
  expect(recipe?.request('m:latest', texts)).toEqual({
    model: 'm:latest',
    files: {'model.gguf': 'sha256:0', 'projector1.gguf': 'sha256:1'},
    template: '{{ .Prompt }}',
    parameters: {stop: ['x'], num_ctx: 8},
    system: 'be brief',
    license: ['MIT', 'BSD'],
    messages: [{role: 'user', content: 'hi'}],
  })
})

test('an adapter is told apart from the model', () => {
  expect(apiRecipe(manifest('model', 'adapter'))?.request('m', new Map())).toEqual({
    model: 'm',
    files: {'model.gguf': 'sha256:0'},
    adapters: {'adapter.gguf': 'sha256:1'},
  })
})

test.each([['tensor'], ['embed'], ['']])('a part of the kind "%s" cannot be told', (kind) => {
  expect(apiRecipe(manifest('model', kind))).toBeUndefined()
})
