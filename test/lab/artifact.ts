import {createHash} from 'node:crypto'
import {mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {build} from 'esbuild'
import {launcher} from './launcher.ts'
import {must} from './tools.ts'

export interface ArtifactOptions {
  /** Default 0.33.0. */
  readonly version?: string
  /** What its program is built for. Default amd64, which is the only one that runs. */
  readonly arch?: 'amd64' | 'arm64'
  /** Default tgz. */
  readonly format?: 'tgz' | 'tar.gz' | 'tar.zst'
  /** Bytes left of it; a download that broke off. */
  readonly truncatedTo?: number
  /** Bytes of incompressible library beside the program. Default 256 KiB. */
  readonly ballast?: number
}

/** An archive as Ollama's releases are: `bin/ollama` and `lib/ollama/...`, for `node add --artifact`. */
export interface Artifact {
  readonly file: string
  readonly sha256: string
  readonly version: string
  dispose(): void
}

/** Makes an archive whose `ollama` is the stand-in; it runs on the hosts of a lab alone. */
export async function makeArtifact(options: ArtifactOptions = {}): Promise<Artifact> {
  const {version = '0.33.0', arch = 'amd64', format = 'tgz', ballast = 256 * 1024} = options
  const dir = mkdtempSync(join(tmpdir(), 'ollamax-artifact-'))
  const tree = join(dir, 'tree')
  mkdirSync(join(tree, 'bin'), {recursive: true})
  mkdirSync(join(tree, 'lib/ollama'), {recursive: true})
  writeFileSync(join(tree, 'bin/ollama'), launcher(arch), {mode: 0o755})
  writeFileSync(join(tree, 'lib/ollama/llama-server'), launcher(arch), {mode: 0o755})
  writeFileSync(join(tree, 'lib/ollama/libggml-base.so'), noise(ballast))
  await build({
    entryPoints: [join(import.meta.dirname, '../support/fake-ollama/ollama.ts')],
    outfile: join(tree, 'lib/ollama/ollama.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    define: {FAKE_VERSION: JSON.stringify(version), 'import.meta.main': 'false'},
    logLevel: 'error',
  })
  const file = join(dir, `ollama-linux-${arch}.${format}`)
  const pack = format === 'tar.zst' ? '--zstd' : '--gzip'
  await must(['tar', pack, '-cf', file, '-C', tree, 'bin', 'lib'])
  rmSync(tree, {recursive: true})
  if (options.truncatedTo !== undefined) truncateSync(file, options.truncatedTo)
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
  return {file, sha256, version, dispose: () => rmSync(dir, {recursive: true, force: true})}
}

/** The same bytes each time, and no gzip makes them fewer. */
function noise(length: number): Buffer {
  const blocks = Array.from({length: Math.ceil(length / 32)}, (_, i) =>
    createHash('sha256').update(String(i)).digest(),
  )
  return Buffer.concat(blocks).subarray(0, length)
}
