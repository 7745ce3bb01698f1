#!/usr/bin/env node
// CommonJS and old syntax on purpose: it must also run on a Node that is too old, to say so.
'use strict'
var version = process.versions.node.split('.').map(Number)
if (version[0] > 22 || (version[0] === 22 && version[1] >= 19)) {
  require('node:module').enableCompileCache()
  require('../dist/main.cjs')
} else {
  handOver(require('path').join(__dirname, '../node_modules/node/bin/node'))
}

/** Runs the same command on the Node that `npm ci` put beside us; without one, says what is needed. */
function handOver(node) {
  if (!require('fs').existsSync(node)) {
    process.stderr.write(
      'ollamax needs Node.js 22.19 or later; this is ' +
        process.version +
        '. Install a current one, for example with your package manager.\n',
    )
    process.exit(1)
  }
  var child = require('child_process').spawn(
    node,
    process.execArgv.concat(__filename, process.argv.slice(2)),
    {
      stdio: 'inherit',
    },
  )
  var signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  signals.forEach((name) => {
    process.on(name, () => {
      // The terminal sends SIGINT to the whole group already; passing it on twice would force an exit.
      if (name !== 'SIGINT' || !process.stdin.isTTY) child.kill(name)
    })
  })
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    } else process.exit(code)
  })
}
