import {OWNERS, PURE, pathOf, ROOMS} from './scripts/rooms.ts'

const inside = (rooms) => `^(${rooms.map(pathOf).join('|')})/`
const escaped = (text) => text.replaceAll('/', '[/]').replaceAll('.', '[.]')

/** One rule per room: what it imports of ours lies in itself, in a room it may use, or is the error catalogue. */
const roomRules = Object.entries(ROOMS).map(([room, allowed]) => ({
  name: `${room}-imports-${['itself', ...allowed].join('-')}`,
  severity: 'error',
  from: {path: inside([room])},
  to: {path: '^src/', pathNot: [inside([room, ...allowed]), '^src/lib/errors[.]ts$']},
}))

const ownerRules = Object.entries(OWNERS).map(([name, rooms]) => ({
  name: `${name.replaceAll('/', '-')}-belongs-to-${rooms.join('-')}`,
  severity: 'error',
  from: {path: '^src/', pathNot: inside(rooms)},
  to: {path: `(^|/)node_modules/${escaped(name)}/`},
}))

export default {
  forbidden: [
    ...roomRules,
    ...ownerRules,
    {
      name: 'every-file-has-a-room',
      severity: 'error',
      from: {path: '^src/', pathNot: [inside(Object.keys(ROOMS)), '^src/lib/errors[.]ts$']},
      to: {},
    },
    {
      name: 'errors-imports-nothing',
      severity: 'error',
      from: {path: '^src/lib/errors[.]ts$'},
      to: {path: '.'},
    },
    {
      name: 'pure-rooms-do-nothing',
      severity: 'error',
      from: {path: inside(PURE)},
      to: {dependencyTypes: ['core', 'npm', 'npm-dev']},
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {path: '^src/'},
      // Types are gone when it runs; and a module may load on demand what uses a value of its own.
      to: {circular: true, viaOnly: {dependencyTypesNot: ['type-only', 'dynamic-import']}},
    },
    {
      name: 'nothing-unresolved',
      severity: 'error',
      from: {path: '^src/'},
      // Fetched on demand by the embedded node, never installed with us.
      to: {couldNotResolve: true, pathNot: '^(node-llama-cpp|@huggingface/jinja)'},
    },
    {
      name: 'sources-import-no-tests',
      severity: 'error',
      from: {path: '^src/'},
      to: {path: '^(test|scripts)/'},
    },
  ],
  options: {
    doNotFollow: {path: 'node_modules'},
    tsPreCompilationDeps: true,
    tsConfig: {fileName: 'tsconfig.json'},
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'require', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js'],
    },
  },
}
