import {execFile} from 'node:child_process'
import {createHash} from 'node:crypto'
import {existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync} from 'node:fs'
import {homedir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {test} from 'vitest'

const run = promisify(execFile)
const SCRIPTS = join(import.meta.dirname, 'python')
const REQUIREMENTS = join(SCRIPTS, 'requirements.txt')
const INSTALL_MS = 300_000
const RUN_MS = 60_000

/** A Python of our own that has the clients of requirements.txt. */
export interface Python {
  /** `test`; a skipped one, with the reason printed, where that Python cannot be had (a failure with CI=true). */
  readonly test: typeof test
  /** Runs a script beside requirements.txt and returns the JSON that it prints. */
  run(script: string, env: Readonly<Record<string, string>>): Promise<Record<string, unknown>>
}

/** Makes it where it is not there yet: in the user's cache, so that packages are fetched once. */
export async function pythonClients(): Promise<Python> {
  try {
    const path = await environment()
    return {
      test,
      async run(script, env) {
        const {stdout} = await run(path, [join(SCRIPTS, script)], {
          env: {PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1', ...env},
          timeout: RUN_MS,
        })
        return JSON.parse(stdout) as Record<string, unknown>
      },
    }
  } catch (error) {
    const reason = `needs python3 with venv and the packages of ${REQUIREMENTS}: ${String(error)}`
    if (process.env.CI === 'true') throw new Error(reason, {cause: error})
    console.warn(`skipped: ${reason}`)
    return {test: test.skip as typeof test, run: () => Promise.reject(new Error(reason))}
  }
}

async function environment(): Promise<string> {
  const {stdout: version} = await run('python3', ['--version'])
  const wanted = version + readFileSync(REQUIREMENTS, 'utf8')
  const name = createHash('sha256').update(wanted).digest('hex').slice(0, 16)
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ollamax-tests')
  const target = join(cache, `python-${name}`)
  const python = join(target, 'bin/python')
  if (existsSync(python)) return python
  mkdirSync(cache, {recursive: true})
  // It is whole or not there, also when two runs make it at once.
  const made = mkdtempSync(join(cache, 'new-'))
  try {
    await run('python3', ['-m', 'venv', made], {timeout: INSTALL_MS})
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    await run(join(made, 'bin/python'), [...pip, '-r', REQUIREMENTS], {timeout: INSTALL_MS})
    if (!existsSync(python)) renameSync(made, target)
    return python
  } finally {
    rmSync(made, {recursive: true, force: true})
  }
}
