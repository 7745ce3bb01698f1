#!/usr/bin/env node
// Rebuilds, then runs: the bundle that users run is the only thing that is ever run.
'use strict'
const {spawnSync} = require('node:child_process')
const {join} = require('node:path')
const build = spawnSync(process.execPath, [join(__dirname, '../scripts/build.js')], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
if (build.status !== 0) process.exit(build.status ?? 1)
require('./run.js')
