// Builds dist/: one small CommonJS file per command, per lazily imported module and for what they share.
// Why CommonJS and many files: the start of a command is a feature, see docs/design/0001-startup.md.
import {globSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {basename, dirname, join, relative, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {build} from 'esbuild'
import {lightOclif} from './light-oclif.js'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const dist = join(root, 'dist')
const pkg = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Stays in node_modules: it brings optional native code, and only SSH commands load it. */
const EXTERNAL = ['ssh2']
/** Import ES modules that require() cannot load: Ink, and the engine's library (top-level await). */
const REAL_IMPORT = /\/(cli\/ink|engine\/infer\/llama-library)\.ts$/
/** Ink cannot be CommonJS (top-level await), so everything in this room is bundled as ESM. */
const isEsm = (file) => file.includes('/src/lib/tui/')

const commands = globSync('src/commands/**/*.ts', {cwd: root}).sort()
const idOf = (file) =>
  file
    .slice('src/commands/'.length, -'.ts'.length)
    .replace(/\/index$/, '')
    .replaceAll('/', ':')
const outOf = (file) =>
  relative(join(root, 'src'), file).replace(/\.tsx?$/, isEsm(file) ? '.mjs' : '.cjs')

const queue = [
  'src/lib/cli/main.ts',
  'src/lib/cli/oclif.ts',
  'src/lib/cli/help.ts',
  ...commands,
].map((f) => join(root, f))
const seen = new Set(queue)

/** Turns each `await import('./x.ts')` into the loading of a file of its own, and queues that file. */
const chunks = {
  name: 'chunks',
  setup(context) {
    context.onResolve({filter: /^@oclif\/core$/}, (args) =>
      args.importer.endsWith('/cli/oclif.ts') || args.importer.endsWith('/cli/help.ts')
        ? undefined
        : {path: from(context.initialOptions.outfile, 'lib/cli/oclif.cjs'), external: true},
    )
    // Ink imports it for its own debugging only; as a missing package it would keep Ink from loading.
    context.onResolve({filter: /^react-devtools-core$/}, (args) => ({
      path: args.path,
      namespace: 'absent',
    }))
    context.onLoad({filter: /.*/, namespace: 'absent'}, () => ({contents: 'export default {}'}))
    context.onResolve({filter: /^\./}, (args) => {
      if (args.kind !== 'dynamic-import' || args.importer.includes('node_modules')) return
      const file = resolve(args.resolveDir, args.path)
      if (!seen.has(file)) {
        seen.add(file)
        queue.push(file)
      }
      return {path: from(context.initialOptions.outfile, outOf(file)), external: true}
    })
  },
}
const from = (outfile, target) => {
  const path = relative(dirname(outfile), join(dist, target))
  return path.startsWith('.') ? path : `./${path}`
}

rmSync(dist, {recursive: true, force: true})
mkdirSync(dist, {recursive: true})
const version = JSON.stringify(pkg.version)
const ids = JSON.stringify(commands.map(idOf))
while (queue.length > 0) {
  const batch = queue.splice(0)
  await Promise.all(
    batch.map((file) => {
      const esm = isEsm(file)
      return build({
        entryPoints: [file],
        outfile: join(dist, outOf(file)),
        bundle: true,
        platform: 'node',
        target: 'node22.19',
        format: esm ? 'esm' : 'cjs',
        external: [...EXTERNAL, 'typescript', 'ts-node', 'tsx'],
        define: {
          OLLAMAX_VERSION: version,
          OLLAMAX_COMMANDS: ids,
          'process.env.NODE_ENV': '"production"',
        },
        banner: esm
          ? {
              js: "import {createRequire as __cr} from 'node:module'; const require = __cr(import.meta.url);",
            }
          : {},
        plugins: [chunks, lightOclif],
        jsx: 'automatic',
        legalComments: 'none',
        minifyWhitespace: true,
        minifySyntax: true,
        logLevel: 'warning',
        // require() is faster than import() and profits from the compile cache; few need the real one.
        supported: {'dynamic-import': esm || REAL_IMPORT.test(file)},
      })
    }),
  )
}
writeFileSync(
  join(dist, 'commands.cjs'),
  `exports.COMMANDS = {${commands
    .map(
      (f) =>
        `get ${JSON.stringify(idOf(f))}() { return require('./${outOf(join(root, f))}').default }`,
    )
    .join(',\n')}}\n`,
)
writeFileSync(join(dist, 'package.json'), '{"type": "commonjs"}\n')
writeFileSync(join(dist, 'main.cjs'), "require('./lib/cli/main.cjs').main()\n")
if (process.argv.includes('--verbose')) console.log(`${basename(dist)}: ${seen.size} files`)
