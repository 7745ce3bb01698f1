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

/** One entry by hand: what no tar program would write. */
function entry(
  path: string,
  how: {type?: string; link?: string; size?: string; body?: Buffer} = {},
) {
  const body = how.body ?? Buffer.alloc(0)
  const head = Buffer.alloc(512)
  head.write(path, 0, 100)
  head.write('0000755\0', 100)
  head.write(how.size ?? `${body.length.toString(8).padStart(11, '0')}\0`, 124, 12, 'latin1')
  head.write(how.type ?? '0', 156)
  head.write(how.link ?? '', 157, 100)
  head.write('ustar\x0000', 257, 'latin1')
  head.fill(' ', 148, 156)
  head.write(
    `${head
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  return Buffer.concat([head, body, Buffer.alloc((512 - (body.length % 512)) % 512)])
}
const program = () => entry('bin/ollama', {body: elf(62)})
const archive = (...entries: readonly Buffer[]) => Buffer.concat([...entries, Buffer.alloc(1024)])
const pax = (key: string, value: string) => {
  const rest = ` ${key}=${value}\n`
  const length = rest.length + String(rest.length + 2).length
  return entry('pax', {type: 'x', body: Buffer.from(`${length}${rest}`)})
}

test.each<[string, readonly Buffer[]]>([
  ['a way up', [entry('../evil')]],
  ['a way up in the middle', [entry('lib/../../evil')]],
  ['an absolute path', [entry('/etc/cron.d/evil')]],
  ['an absolute path by pax', [pax('path', '/etc/cron.d/evil'), entry('x')]],
  [
    'a long name that leads up',
    [entry('n', {type: 'L', body: Buffer.from('../evil\0')}), entry('x')],
  ],
  ['a link to an absolute path', [entry('lib/a', {type: '2', link: '/etc/shadow'})]],
  ['a link that leads up and out', [entry('lib/a', {type: '2', link: '../../etc'})]],
  [
    'a long link that leads out',
    [entry('n', {type: 'K', body: Buffer.from('/etc\0')}), entry('a', {type: '2'})],
  ],
  ['a link by pax that leads out', [pax('linkpath', '../etc'), entry('a', {type: '2', link: 'b'})]],
  ['a hard link out of it', [entry('lib/a', {type: '1', link: '../etc/shadow'})]],
  ['a path through a link of its own', [entry('a', {type: '2', link: '.'}), entry('a/b')]],
  ['a device', [entry('dev', {type: '3'})]],
  ['a pipe', [entry('pipe', {type: '6'})]],
])('an archive with %s is refused', async (_, entries) => {
  const bytes = archive(program(), ...entries)
  expect(await refused(file('evil.tar', bytes))).toMatch(
    /^ARTIFACT_BAD .*(leads out of|device or pipe)/,
  )
})

test('links within the archive are fine, as Ollama has them', async () => {
  const links = [
    entry('lib/ollama/libggml.so', {type: '2', link: 'libggml.so.0'}),
    entry('lib/ollama/cuda/libggml.so', {type: '2', link: '../libggml.so'}),
    entry('lib/ollama/again', {type: '1', link: 'bin/ollama'}),
  ]
  expect(await refused(file('links.tar', archive(program(), ...links)))).toBe('accepted')
})

test.each<[string, readonly Buffer[]]>([
  ['a size that is no number', [entry('a', {size: '0000000zz99\0'})]],
  ['a negative size', [entry('a', {size: '\xff'.repeat(12)})]],
  ['a size beyond all numbers', [entry('a', {size: `\x80${'\xff'.repeat(11)}`})]],
  [
    'a name without end',
    [entry('n', {type: 'L', size: '00020000000\0'}), Buffer.alloc(5 * 2 ** 20)],
  ],
  [
    'a pax record that is none',
    [entry('x', {type: 'x', body: Buffer.from('999 path=a\n')}), entry('x')],
  ],
])('an archive with %s is damaged', async (_, entries) => {
  expect(await refused(file('bad.tar', archive(program(), ...entries)))).toMatch(
    /^ARTIFACT_BAD .*damaged/,
  )
})

test('a file that is larger than a header can say has its size in a pax record', () => {
  const seen: string[] = []
  const reader = new TarReader(4, ({path, sizeBytes}, head) =>
    seen.push(`${path} ${sizeBytes} ${head}`),
  )
  const body = Buffer.from('content!')
  // The header's own size is 0, as for a file of 9 GiB.
  reader.write(Buffer.concat([pax('size', '8'), entry('big'), body, Buffer.alloc(504)]))
  reader.write(archive(entry('next')))
  reader.end()
  expect(seen).toEqual(['big 8 cont', 'next 0 '])
})

test('a long name of no length takes nothing of what follows', () => {
  const seen: string[] = []
  const reader = new TarReader(4, ({path}) => seen.push(path))
  reader.write(
    archive(entry('n', {type: 'L'}), entry('a', {body: Buffer.from('content')}), entry('b')),
  )
  reader.end()
  expect(seen).toEqual(['a', 'b'])
})
