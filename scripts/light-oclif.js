// Keeps out of the bundle that every command loads what only oclif's own start and help need.
// What is replaced here is never reached by a command that bin/run.js starts (docs/design/0001-startup.md):
// the configuration is hand-made, help and errors are printed elsewhere. Reaching one of them anyway says so.
const UNREACHED = [
  /@oclif\/core\/lib\/config\/index\.js$/,
  /@oclif\/core\/lib\/help\/index\.js$/,
  /@oclif\/core\/lib\/errors\/handle\.js$/,
  /node_modules\/ejs\//,
]
/** Plain functions that are called rarely: loaded when called. */
const WHEN_CALLED = /^(wrap-ansi|clean-stack|indent-string)$/
/** Modules of Node's own that cost milliseconds and that the parser hardly ever uses. */
const RARE_BUILTIN = /^node:(readline|fs\/promises)$/

export const lightOclif = {
  name: 'light-oclif',
  setup(context) {
    if (!context.initialOptions.entryPoints[0].endsWith('/cli/oclif.ts')) return
    // Our progress is our own; oclif only makes one spinner at its start, and the simple one is lighter.
    context.onLoad({filter: /@oclif\/core\/lib\/ux\/action\/spinner\.js$/}, () => ({
      contents: "module.exports = require('./simple')",
    }))
    context.onLoad({filter: /(@oclif\/core\/lib\/|node_modules\/ejs\/)/}, (args) =>
      UNREACHED.some((pattern) => pattern.test(args.path)) ? {contents: STUB} : undefined,
    )
    context.onResolve({filter: WHEN_CALLED}, (args) =>
      args.pluginData === 'real'
        ? undefined
        : {path: args.path, namespace: 'when-called', pluginData: args.resolveDir},
    )
    context.onLoad({filter: /.*/, namespace: 'when-called'}, (args) => ({
      contents: `module.exports = (...args) => { const f = require(${JSON.stringify(`real:${args.path}`)}); return (f.default ?? f)(...args) }`,
      resolveDir: args.pluginData,
    }))
    context.onResolve({filter: RARE_BUILTIN}, (args) =>
      args.namespace === 'rare-builtin'
        ? {path: args.path, external: true}
        : {path: args.path, namespace: 'rare-builtin'},
    )
    context.onLoad({filter: /.*/, namespace: 'rare-builtin'}, (args) => ({
      contents: `module.exports = new Proxy({}, {get: (_, name) => require(${JSON.stringify(args.path)})[name]})`,
    }))
    context.onResolve({filter: /^real:/}, (args) =>
      context.resolve(args.path.slice(5), {
        resolveDir: args.resolveDir,
        kind: 'require-call',
        pluginData: 'real',
      }),
    )
  },
}

// A class by any name, so that `extends` and `instanceof` hold; making or using one is an error.
const STUB = `
class Absent { constructor() { throw new Error('this part of oclif is not in the command bundle') } }
module.exports = new Proxy({}, {get: (_, name) => name === '__esModule' ? true : Absent})
`
