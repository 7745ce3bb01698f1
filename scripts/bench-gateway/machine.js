// What the bench needs of the machine: tools, free ports, processes on a core of their own.
import {execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs'
import {createServer} from 'node:net'
import {delimiter, dirname, join} from 'node:path'
import {createInterface} from 'node:readline'
import {setTimeout as sleep} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const packages = {
  go: 'golang (or from go.dev)',
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  taskset: 'util-linux',
  sshd: 'openssh-server',
  'ssh-keygen': 'openssh-client',
}

/** Says all at once which of the tools are missing, and what to install. */
export function needTools(tools) {
  const path = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  const missing = tools.filter((tool) => !path.some((dir) => runnable(join(dir, tool))))
  if (missing.length > 0)
    throw new Error(
      `not on this machine: ${missing.join(', ')}. On Debian: apt-get install ${missing.map((tool) => packages[tool]).join(' ')}`,
    )
}

function runnable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Builds the Go programs into dir. They use Go's standard library alone, so nothing is downloaded. */
export async function buildPrograms(dir) {
  const env = {...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', CGO_ENABLED: '0'}
  for (const name of ['node', 'load'])
    await promisify(execFile)('go', ['build', '-o', join(dir, name), `./${name}`], {
      cwd: here,
      env,
    })
  return {node: join(dir, 'node'), load: join(dir, 'load')}
}

/** A loopback port that nobody listens on now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** The processes that this run has started. Each is confined to a core, and close() ends them all, the last first. */
export class Processes {
  #all = []
  #dir

  /** What they write goes to files in dir. */
  constructor(dir) {
    this.#dir = dir
  }

  start(core, argv, {name = argv[0], env = process.env, stdin = 'ignore', stdout = 'log'} = {}) {
    const file = join(this.#dir, `${this.#all.length + 1}.log`)
    const log = openSync(file, 'w')
    const child = spawn('taskset', ['-c', String(core), ...argv], {
      env: {...env, PATH: `${env.PATH}${delimiter}/usr/sbin`},
      stdio: [stdin, stdout === 'log' ? log : stdout, log],
    })
    closeSync(log)
    child.once('error', () => {}) // no pid then; whoever waits for it to serve finds it ended
    const one = {
      child,
      name,
      ended: () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null,
      said: () => readFileSync(file, 'utf8').slice(-4000).trimEnd(),
    }
    this.#all.push(one)
    return one
  }

  async close() {
    for (const one of this.#all.reverse()) {
      if (one.ended()) continue
      const {child} = one
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      if ((await Promise.race([ended, sleep(5000, 'late', {ref: false})])) === 'late')
        child.kill('SIGKILL')
      await ended
    }
    this.#all = []
  }
}

/** Confines all threads of running processes to a core. */
export async function pin(pids, core) {
  for (const pid of pids)
    await promisify(execFile)('taskset', ['-a', '-p', '-c', String(core), String(pid)])
}

/** Starts three stand-in nodes, on the ports if any are given ("1,2,3"): {control, nodes: [url], pid}. */
export async function startNodes(processes, program, core, ports = '') {
  const one = processes.start(core, [program, '-nodes', '3', '-ports', ports], {
    name: 'the nodes',
    stdin: 'pipe',
    stdout: 'pipe',
  })
  const lines = createInterface(one.child.stdout)
  const first = await Promise.race([once(lines, 'line'), once(one.child, 'exit')])
  if (one.ended()) throw new Error(`the nodes did not start: ${one.said()}`)
  return {...JSON.parse(first[0]), pid: one.child.pid}
}

/** Waits until GET url answers 200, at most 15 s, and not once its process (if it is one of ours) has ended. */
export async function untilServing(one, url, key) {
  const deadline = Date.now() + 15_000
  const headers = key ? {authorization: `Bearer ${key}`} : {}
  for (;;) {
    const ended = one?.ended()
    if (ended || Date.now() > deadline)
      throw new Error(
        `${one?.name ?? 'the target'} ${ended ? 'ended' : 'did not answer'}: ${url}\n${one?.said() ?? ''}`,
      )
    const signal = AbortSignal.timeout(2000)
    const answer = await fetch(url, {headers, signal}).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.status === 200) return
    await sleep(50)
  }
}

/** The processes that listen on a TCP port of this machine. */
export function listenersOf(port) {
  const sockets = new Set()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const line of readFileSync(table, 'utf8').split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
      if (state === '0A' && Number.parseInt(local.split(':')[1], 16) === port)
        sockets.add(`socket:[${inode}]`)
    }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && openFiles(name).some((file) => sockets.has(file)))
    .map(Number)
}

/** What the open descriptors of a process point at; empty where it is gone. */
export function openFiles(pid) {
  return list(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return []
    }
  })
}

/** The processes and all their descendants. */
export function treeOf(pids) {
  const all = [...pids]
  for (const pid of all)
    for (const task of list(`/proc/${pid}/task`)) {
      const children = read(`/proc/${pid}/task/${task}/children`)
      all.push(...children.split(' ').filter(Boolean).map(Number))
    }
  return all
}

/** Their resident memory in MB, all together. */
export function memoryMbOf(pids) {
  const kb = pids.map((pid) => /^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0)
  return kb.reduce((sum, one) => sum + Number(one), 0) / 1024
}

function list(dir) {
  try {
    return readdirSync(dir)
  } catch {
    return [] // the process is gone
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
