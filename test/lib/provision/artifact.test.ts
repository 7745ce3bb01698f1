import {execFileSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {buffer} from 'node:stream/consumers'
import {gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync} from 'node:zlib'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {inspectArtifact, readAsGzip} from '../../../src/lib/provision/artifact.ts'
import {TarReader} from '../../../src/lib/provision/tar.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ox-artifact-'))
})
afterAll(() => rmSync(dir, {recursive: true, force: true}))

/** The head of a program for a machine of that ELF number. */
function elf(machine: number): Buffer {
  const head = Buffer.alloc(2000)
  head.write('\x7fELF\x02\x01', 'latin1')
  head.writeUInt16LE(machine, 18)
  return head
}

/** A tar of a tree with that program, and a path too long for its header. */
function tar(program: Buffer, name = 'bin/ollama', format = 'gnu'): Buffer {
  const tree = mkdtempSync(join(dir, 'tree-'))
  const deep = join(tree, 'lib/ollama', 'x'.repeat(90), 'y'.repeat(90))
  mkdirSync(deep, {recursive: true})
  mkdirSync(join(tree, 'bin'))
  writeFileSync(join(deep, 'lib.so'), 'library')
  writeFileSync(join(tree, name), program)
  chmodSync(join(tree, name), 0o755)
  return execFileSync('tar', [`--format=${format}`, '-cf', '-', '-C', tree, 'lib', 'bin'])
}

function file(name: string, content: Buffer): string {
  const path = join(dir, name)
  writeFileSync(path, content)
  return path
}

const refused = (path: string, options = {}) =>
  inspectArtifact(path, options).then(
    () => 'accepted',
    (error: {code: string; message: string}) => `${error.code} ${error.message}`,
  )

test.each(['gnu', 'pax', 'ustar'])(
  'a %s archive is read whatever it is packed with',
  async (format) => {
    const plain = tar(elf(62), 'bin/ollama', format)
    const tarSha256 = createHash('sha256').update(plain).digest('hex')
    const packed = {gz: gzipSync(plain), zst: zstdCompressSync(plain), tar: plain}
    for (const [as, content] of Object.entries(packed)) {
      const found = await inspectArtifact(file(`ollama-0.33.0-rc2-${format}.${as}`, content))
      const sha256 = createHash('sha256').update(content).digest('hex')
      expect(found).toMatchObject({
        format: as,
        arch: 'amd64',
        os: 'linux',
        version: '0.33.0-rc2',
        sizeBytes: content.length,
        unpackedBytes: 2007,
        sha256,
        tarSha256,
      })
    }
  },
)

test('the machine that it is for is read from its program', async () => {
  const arm = await inspectArtifact(file('arm.tgz', gzipSync(tar(elf(183)))))
  expect(arm).toMatchObject({arch: 'arm64', os: 'linux'})
  const script = await inspectArtifact(file('sh.tgz', gzipSync(tar(Buffer.from('#!/bin/sh\n')))))
  expect(script).toMatchObject({arch: 'any', os: 'any'})
})

test('what is no whole archive of Ollama is refused with the reason', async () => {
  const plain = tar(elf(62))
  const gz = gzipSync(plain)
  const zst = zstdCompressSync(plain)
  const damaged = Buffer.from(gz)
  damaged.fill(0, gz.length - 6, gz.length - 2)
  expect(await refused(file('cut.tgz', gz.subarray(0, gz.length - 20)))).toContain('truncated')
  expect(await refused(file('cut.zst', zst.subarray(0, zst.length - 20)))).toContain('truncated')
  expect(await refused(file('cut.tar', plain.subarray(0, 3000)))).toMatch(/stops|end is missing/)
  expect(await refused(file('damaged.tgz', damaged))).toMatch(/damaged|incorrect/)
  expect(await refused(file('text.tgz', Buffer.from('hello')))).toContain('neither')
  expect(await refused(file('text2.tgz', gzipSync(Buffer.alloc(2048, 'x'))))).toContain('not a tar')
  expect(await refused(file('empty.tgz', Buffer.alloc(0)))).toContain('empty')
  expect(await refused(file('other.tgz', gzipSync(tar(elf(62), 'bin/llama'))))).toContain(
    'no bin/ollama',
  )
  expect(await refused(file('prog.tgz', gzipSync(tar(Buffer.from('what?')))))).toContain(
    'not a program',
  )
  expect(await refused(join(dir, 'nothing.tgz'))).toMatch(/^ARTIFACT_BAD .*no such file/)
  expect(await refused(dir)).toContain('not a file')
  const good = file('good.tgz', gz)
  expect(await refused(good, {sha256: '0'.repeat(64)})).toContain('SHA-256')
})

test('a host without zstd gets the same tar by gzip', async () => {
  const path = file('z.tar.zst', zstdCompressSync(tar(elf(62))))
  const artifact = await inspectArtifact(path)
  const sent = gunzipSync(await buffer(readAsGzip(artifact)))
  expect(sent.equals(zstdDecompressSync(readFileSync(path)))).toBe(true)
  expect(createHash('sha256').update(sent).digest('hex')).toBe(artifact.tarSha256)
})

test('a file that vanishes while it is sent is an error, not an end', async () => {
  const path = file('gone.tar.zst', zstdCompressSync(tar(elf(62))))
  const artifact = await inspectArtifact(path)
  rmSync(path)
  await expect(buffer(readAsGzip(artifact))).rejects.toThrow(/ENOENT/)
})

test.each([1, 7, 511, 512, 513, 100_000])('entries do not depend on chunks of %d bytes', (size) => {
  const bytes = tar(elf(62))
  const paths: string[] = []
  const reader = new TarReader(64, (entry) => paths.push(`${entry.kind} ${entry.path}`))
  for (let at = 0; at < bytes.length; at += size) reader.write(bytes.subarray(at, at + size))
  reader.end()
  expect(paths).toContain('file bin/ollama')
  expect(paths).toContain(`file lib/ollama/${'x'.repeat(90)}/${'y'.repeat(90)}/lib.so`)
})
