import {access, mkdir, mkdtemp, readdir, rename, rm, writeFile} from 'node:fs/promises'
import {delimiter, dirname, join} from 'node:path'
import type {Reporter} from '../../cluster/report.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {EngineHome} from '../engine-home.ts'
import {binaryPackage, PINS} from '../pins.ts'
import {bytesBelow, watched} from './progress.ts'
import {reasonIn, runTool} from './run-tool.ts'

export interface InstallOptions {
  readonly home: EngineHome
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly report: Reporter
  readonly signal: AbortSignal
}

const TIMEOUT_MS = 15 * 60_000

/**
 * Puts the inference library in its place by npm, with this platform's CPU binary only and without
 * running any script of the packages. Whole or not at all: what an interrupted run left is removed.
 * Call it under the lock of `home.root`. Returns false if it was there. ENGINE_MISSING says why not.
 */
export async function installLibrary(options: InstallOptions): Promise<boolean> {
  const {home, report, signal} = options
  if (await isThere(join(home.library, 'node_modules', PINS.library.name, 'package.json')))
    return false
  const binary = binaryPackage(process.platform, process.arch)
  if (!binary)
    throw missing(`${PINS.library.name} has no binary for ${process.platform}-${process.arch}`)
  const npm = await findNpm(options.env)
  if (!npm)
    throw missing('npm is needed to fetch the inference library, and it was not found', [
      'install npm (it comes with Node.js) and run the command again',
    ])
  await mkdir(home.root, {recursive: true, mode: 0o700})
  await removeLeftovers(home)
  const draft = await mkdtemp(join(home.root, DRAFT))
  try {
    await writeFile(join(draft, 'package.json'), '{"private": true}\n')
    const {name, version} = PINS.library
    const args = [...npm.args, ...NPM_ARGS, '--prefix', draft]
    const step = {report, subject: 'engine', step: `install ${name} ${version} (CPU)`}
    await watched(step, {bytes: () => bytesBelow(draft)}, async () => {
      const result = await runTool({
        file: npm.file,
        args: [...args, `${name}@${version}`, `${binary}@${version}`],
        cwd: draft,
        env: withoutNpmScript(options.env),
        signal,
        timeoutMs: TIMEOUT_MS,
      })
      if (result.code !== 0)
        throw missing(`npm could not install ${name} ${version}: ${reasonIn(result.output)}`, [
          'check the network and the registry that npm uses (npm config get registry), then run again',
        ])
    })
    await rename(draft, home.library)
    return true
  } catch (error) {
    await rm(draft, {recursive: true, force: true})
    throw OllamaxError.is(error) || signal.aborted ? error : missing(messageOf(error))
  }
}

const DRAFT = '.library-'
const NPM_ARGS = [
  'install',
  '--omit=optional',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--no-package-lock',
  '--loglevel=error',
  '--global=false',
  // Its own pauses are made for build servers: without a network it would sit there for minutes.
  '--fetch-timeout=60000',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=5000',
]

async function removeLeftovers(home: EngineHome): Promise<void> {
  for (const name of await readdir(home.root))
    if (name.startsWith(DRAFT)) await rm(join(home.root, name), {recursive: true, force: true})
}

/** npm of the Node that runs us, or the first one on PATH. */
async function findNpm(
  env: Readonly<NodeJS.ProcessEnv>,
): Promise<{file: string; args: string[]} | undefined> {
  const bin = dirname(process.execPath)
  for (const script of [
    join(bin, '../lib/node_modules/npm/bin/npm-cli.js'),
    join(bin, 'node_modules/npm/bin/npm-cli.js'),
  ])
    if (await isThere(script)) return {file: process.execPath, args: [script]}
  const name = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  for (const directory of (env.PATH ?? '').split(delimiter)) {
    const file = join(directory, name)
    if (directory && (await isThere(file))) return {file, args: []}
  }
  return undefined
}

/** Run from an npm script, npm would take that package's settings for those of the new one. */
function withoutNpmScript(env: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv {
  const own =
    /^(npm_(package|lifecycle|command|execpath|node_execpath)|npm_config_local_prefix|INIT_CWD)/
  return Object.fromEntries(Object.entries(env).filter(([name]) => !own.test(name)))
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

function missing(why: string, suggestions: readonly string[] = []): OllamaxError {
  return new OllamaxError('ENGINE_MISSING', `the embedded node cannot be installed: ${why}`, {
    suggestions: [...suggestions, 'or use a machine with Ollama: ollamax node add user@host'],
  })
}
