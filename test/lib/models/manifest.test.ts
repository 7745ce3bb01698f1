import fc from 'fast-check'
import {expect, test} from 'vitest'
import {
  blobsOf,
  digestOf,
  manifestPath,
  nameOfPath,
  parseManifest,
} from '../../../src/lib/models/manifest.ts'

const hex = (char: string): string => `sha256:${char.repeat(64)}`
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

test.each([
  ['tiny', 'registry.ollama.ai/library/tiny/latest'],
  ['llama3.2:3b', 'registry.ollama.ai/library/llama3.2/3b'],
  ['team/coder:v2', 'registry.ollama.ai/team/coder/v2'],
  ['reg.example:5000/team/coder', 'reg.example:5000/team/coder/latest'],
])('the manifest of %s lies at %s, and the path tells the name', (name, path) => {
  expect(manifestPath(name)).toBe(path)
  expect(manifestPath(nameOfPath(path) ?? '')).toBe(path)
})

test('no name leads out of the directory of manifests', () => {
  fc.assert(
    fc.property(fc.string({unit: fc.constantFrom('.', '/', 'a', ':', '\\', '\0', '-')}), (name) => {
      let path = ''
      try {
        path = manifestPath(name)
      } catch (error) {
        expect((error as {code?: string}).code).toBe('BAD_INPUT')
        return
      }
      const parts = path.split('/')
      expect(parts).toHaveLength(4)
      for (const part of parts) expect(['', '.', '..']).not.toContain(part)
    }),
  )
})

test('a manifest tells its digest, and each file once with the largest last', () => {
  const layer = (digest: string, size: number) => ({digest, size, mediaType: 'x'})
  const bytes = bytesOf({
    config: layer(hex('a'), 10),
    layers: [layer(hex('b'), 900), layer(hex('a'), 10), layer(hex('c'), 5)],
  })
  const manifest = parseManifest(bytes, 'it')
  expect(manifest.digest).toBe(digestOf(bytes))
  expect(blobsOf(manifest)).toEqual([
    {digest: hex('c'), sizeBytes: 5},
    {digest: hex('a'), sizeBytes: 10},
    {digest: hex('b'), sizeBytes: 900},
  ])
})

test.each([
  ['no JSON', Buffer.from('{')],
  ['null', Buffer.from('null')],
  ['no layers', bytesOf({config: {digest: hex('a'), size: 1}})],
  [
    'a digest that leads elsewhere',
    bytesOf({config: {digest: 'sha256:../../x', size: 1}, layers: []}),
  ],
  ['a size that is none', bytesOf({config: {digest: hex('a'), size: -1}, layers: []})],
  ['a layer that is none', bytesOf({config: {digest: hex('a'), size: 1}, layers: [7]})],
])('%s is no manifest', (_, bytes) => {
  expect(() => parseManifest(bytes, 'x')).toThrow(/the manifest of x cannot be used/)
})
