import {mkdir, rm, stat} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import type {Reporter} from '../cluster/report.ts'
import {download} from '../engine/install/download.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {type Artifact, inspectArtifact} from '../provision/artifact.ts'
import type {Facts} from '../provision/facts.ts'
import type {Source} from '../provision/plan-value.ts'
import type {Remote} from '../ssh/remote.ts'
import type {Tools} from './tools.ts'

const OFFICIAL = 'https://github.com/ollama/ollama/releases'

/** Where Ollama's releases lie; OLLAMAX_RELEASES names a mirror with the same paths. */
export const releasesUrl = (env: Readonly<NodeJS.ProcessEnv>) =>
  (env.OLLAMAX_RELEASES || OFFICIAL).replace(/\/+$/, '')

export interface FindSourceOptions {
  readonly facts: Facts
  /** Absent: the latest. */
  readonly version: string | undefined
  readonly subject: string
  readonly report: Reporter
  /** Download nothing. */
  readonly dryRun: boolean
  /** Downloads of this run by path, so that several hosts share one. */
  readonly downloads: Map<string, Promise<Artifact>>
}

interface Release {
  readonly version: string
  readonly url: string
  readonly file: string
  readonly sha256: string
}

/**
 * Finds the official archive for a host: downloaded by the host itself if it reaches the release site,
 * else here (once for all hosts, kept in the cache directory) and carried over. DOWNLOAD_FAILED if
 * neither can reach it.
 */
export async function findSource(
  tools: Pick<Tools, 'signal' | 'env' | 'paths'>,
  remote: Remote,
  options: FindSourceOptions,
): Promise<Source> {
  const {facts} = options
  const ask =
    facts.reachesReleases === true ? askThere(remote, tools.signal) : askHere(tools.signal)
  const release = await findRelease(ask, releasesUrl(tools.env), options)
  const format = release.file.endsWith('.zst') ? 'zst' : 'gz'
  const canUnpack = format === 'gz' || facts.tools.includes('zstd')
  if ((facts.reachesReleases === true && canUnpack) || options.dryRun)
    return {kind: 'fetch', format, ...release}
  const path = join(tools.paths.cache, 'artifacts', `${release.version}-${release.file}`)
  const {downloads} = options
  const running = downloads.get(path) ?? downloadHere(tools, {...options, release, path})
  downloads.set(path, running)
  return {kind: 'carry', artifact: await running}
}

/** The version of Ollama's latest release. DOWNLOAD_FAILED where this machine cannot reach the release site. */
export async function latestVersion(tools: Pick<Tools, 'signal' | 'env'>): Promise<string> {
  try {
    return latestIn((await askHere(tools.signal)(`${releasesUrl(tools.env)}/latest`, false)).url)
  } catch (error) {
    tools.signal.throwIfAborted()
    throw unreachable(error)
  }
}

async function downloadHere(
  tools: Pick<Tools, 'signal'>,
  options: FindSourceOptions & {readonly release: Release; readonly path: string},
): Promise<Artifact> {
  const {release, path, report, subject} = options
  const {url, sha256, version} = release
  const {signal} = tools
  if (!(await stat(path).catch(() => undefined))) {
    await mkdir(dirname(path), {recursive: true, mode: 0o700})
    const step = `download Ollama ${version}`
    const limits = {maxBytes: 16 * 2 ** 30, stallMs: 60_000}
    await download({url, sha256, path, signal, report, subject, step, ...limits}).catch(
      (error: unknown) => {
        throw unreachable(error)
      },
    )
  }
  try {
    return {...(await inspectArtifact(path, {sha256, signal})), version}
  } catch (error) {
    // The next run must not trip over it again.
    await rm(path, {force: true})
    throw error
  }
}

/** The list of checksums of a release has some 2 KB. */
const MAX_TEXT_BYTES = 2 ** 20

const tooLong = (url: string) => new Error(`${url} is longer than 1 MiB`)

/** One question by HTTP: where redirects end, and the text there. */
type AskUrl = (url: string, withText: boolean) => Promise<{url: string; text: string}>

async function findRelease(
  ask: AskUrl,
  base: string,
  {facts, version: wanted}: FindSourceOptions,
): Promise<Release> {
  try {
    const version = wanted ?? latestIn((await ask(`${base}/latest`, false)).url)
    const directory = `${base}/download/v${version}`
    const mac = facts.os === 'darwin'
    const file = mac ? 'ollama-darwin.tgz' : `ollama-linux-${facts.arch}.tar.zst`
    const sums = (await ask(`${directory}/sha256sum.txt`, true)).text
    const sha256 = sumOf(sums, file)
    if (!sha256)
      throw new OllamaxError('DOWNLOAD_FAILED', `the release ${version} of Ollama has no ${file}`, {
        suggestions: ['Give another version by --ollama-version, or an archive by --artifact FILE'],
      })
    return {version, url: `${directory}/${file}`, file, sha256}
  } catch (error) {
    throw OllamaxError.is(error) ? error : unreachable(error)
  }
}

function latestIn(url: string): string {
  const version = /\/tag\/v([^/]+)$/.exec(url)?.[1]
  if (version) return version
  throw new Error(`${url} does not name a release`)
}

function sumOf(sums: string, file: string): string | undefined {
  for (const line of sums.split('\n')) {
    const [sum = '', name = ''] = line.trim().split(/\s+\*?/)
    if (name.replace(/^\.\//, '') === file && /^[0-9a-f]{64}$/.test(sum)) return sum
  }
  return undefined
}

function askHere(signal: AbortSignal): AskUrl {
  return async (url, withText) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(20_000)])
    const reply = await fetch(url, {method: withText ? 'GET' : 'HEAD', signal: limit}).catch(
      (error: unknown) => {
        signal.throwIfAborted()
        throw (error as {cause?: unknown}).cause ?? error
      },
    )
    // The checksums come this way: on a way that anybody can write to they would vouch for nothing.
    if (url.startsWith('https:') && !reply.url.startsWith('https:'))
      throw new Error(`${url} leads to ${reply.url}, which is not encrypted`)
    if (!reply.ok) throw new Error(`${url} answered HTTP ${reply.status}`)
    return {url: reply.url, text: withText ? await textOf(reply) : ''}
  }
}

async function textOf({url, body}: Response): Promise<string> {
  const kept: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop by an error ends the download.
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_TEXT_BYTES) throw tooLong(url)
    kept.push(chunk)
  }
  return Buffer.concat(kept).toString('utf8')
}

/** Like `askHere`, it follows no redirect from an encrypted way to an open one. */
const ASK = `set -e
case $1 in https:*) only='--proto-redir =https' ;; *) only= ;; esac
case $2 in
  1) curl -fsSL $only --connect-timeout 10 -m 30 "$1" ;;
  *) curl -fsSLI $only --connect-timeout 10 -m 30 -o /dev/null -w '%{url_effective}' "$1" ;;
esac`

function askThere(remote: Remote, signal: AbortSignal): AskUrl {
  return async (url, withText) => {
    const enough = new AbortController()
    let bytes = 0
    const said = await remote.exec(ASK, {
      reads: true,
      args: [url, withText ? '1' : '0'],
      onStdout: (chunk) => {
        bytes += chunk.length
        if (bytes > MAX_TEXT_BYTES) enough.abort(tooLong(url))
      },
      signal: AbortSignal.any([signal, enough.signal]),
    })
    if (said.code !== 0)
      throw new Error(`${url}: curl on the host ended with exit code ${said.code}`)
    return withText ? {url, text: said.stdout} : {url: said.stdout.trim(), text: ''}
  }
}

function unreachable(error: unknown): OllamaxError {
  return new OllamaxError(
    'DOWNLOAD_FAILED',
    `Ollama is to be installed, and its release cannot be downloaded: ${messageOf(error)}`,
    {
      suggestions: [
        'Fetch an archive elsewhere and give it here: --artifact ollama-linux-amd64.tar.zst',
        'Name a mirror by OLLAMAX_RELEASES',
      ],
      cause: error,
    },
  )
}
