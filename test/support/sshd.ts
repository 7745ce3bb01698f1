import {type ChildProcess, execFileSync, spawn} from 'node:child_process'
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {tmpdir, userInfo} from 'node:os'
import {join} from 'node:path'

/** A real OpenSSH server on loopback with keys of its own; the test's user may log in with `key`. */
export interface Sshd {
  readonly port: number
  readonly user: string
  /** `user@127.0.0.1:port`. */
  readonly target: string
  /** Everything of it lies here and goes with it. */
  readonly dir: string
  /** Private key that is let in. */
  readonly key: string
  readonly knownHosts: string
  readonly configFile: string
  /** For dial and resolveTarget: this server's ssh_config, nothing of the real user's. */
  readonly env: NodeJS.ProcessEnv
  /** Fingerprint of its host key of that type. */
  fingerprint(type?: 'ed25519' | 'ecdsa' | 'rsa'): string
  /** What it has logged so far. */
  log(): string
  /** Logins that succeeded so far. */
  logins(): number
  /** Kills the listener and, with SIGKILL, every connection. */
  kill(): Promise<void>
  /** Listens again on the same port. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface SshdOptions {
  /** Lines of sshd_config, before our own (the first one counts). */
  readonly config?: readonly string[]
  /** Does what needs the host keys that lie in `dir` and returns more lines of sshd_config. */
  readonly prepare?: (dir: string) => readonly string[]
  readonly keyTypes?: readonly ('ed25519' | 'ecdsa' | 'rsa')[]
  /** Options before the key in authorized_keys. */
  readonly keyOptions?: string
  /** Lines of ssh_config at its head. */
  readonly sshConfig?: readonly string[]
}

const SSHD = ['/usr/sbin/sshd', '/usr/bin/sshd'].find(existsSync) ?? 'sshd'

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const {port} = server.address() as {port: number}
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Makes a key pair; returns the private file. */
export function makeKey(file: string, type = 'ed25519', passphrase = ''): string {
  const bits = type === 'rsa' ? ['-b', '2048'] : []
  execFileSync('ssh-keygen', [
    '-q',
    '-t',
    type,
    ...bits,
    '-N',
    passphrase,
    '-C',
    'test',
    '-f',
    file,
  ])
  return file
}

/** Starts a server; stop it at the end of the test. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const dir = mkdtempSync(join(tmpdir(), 'ox-sshd-'))
  const port = await freePort()
  const user = userInfo().username
  const types = options.keyTypes ?? ['ed25519']
  for (const type of types) makeKey(join(dir, `host_${type}`), type)
  const key = makeKey(join(dir, 'id'))
  const knownHosts = join(dir, 'known_hosts')
  const configFile = join(dir, 'ssh_config')
  const prefix = options.keyOptions ? `${options.keyOptions} ` : ''
  writeFileSync(join(dir, 'authorized_keys'), prefix + readFileSync(`${key}.pub`, 'utf8'))
  writeFileSync(
    join(dir, 'sshd_config'),
    [
      ...(options.config ?? []),
      ...(options.prepare?.(dir) ?? []),
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      ...types.map((type) => `HostKey ${join(dir, `host_${type}`)}`),
      `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
      'PidFile none',
      // What the account of the person at this machine runs at login (~/.bashrc) is no part of a test.
      `SetEnv HOME=${dir}`,
      'UsePAM no',
      'StrictModes no',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'LogLevel VERBOSE',
      'Subsystem sftp internal-sftp',
      '',
    ].join('\n'),
  )
  writeFileSync(
    configFile,
    [
      ...(options.sshConfig ?? []),
      'Host *',
      `  IdentityFile ${key}`,
      '  IdentitiesOnly yes',
      '  IdentityAgent none',
      `  UserKnownHostsFile ${knownHosts}`,
      '  GlobalKnownHostsFile /dev/null',
      '  HashKnownHosts no',
      '',
    ].join('\n'),
  )
  let log = ''
  let child: ChildProcess | undefined
  const server: Sshd = {
    port,
    user,
    target: `${user}@127.0.0.1:${port}`,
    dir,
    key,
    knownHosts,
    configFile,
    env: {PATH: process.env.PATH, HOME: dir, OLLAMAX_SSH_CONFIG: configFile},
    fingerprint(type = types[0] ?? 'ed25519') {
      const line = execFileSync('ssh-keygen', ['-lf', join(dir, `host_${type}.pub`)], {
        encoding: 'utf8',
      })
      return line.split(' ')[1] ?? ''
    },
    log: () => log,
    logins: () => log.match(/Accepted \S+ for/g)?.length ?? 0,
    async start() {
      if (process.getuid?.() === 0) mkdirSync('/run/sshd', {recursive: true})
      // A group of its own, so that killing it takes its connections along.
      const started = spawn(SSHD, ['-D', '-e', '-f', join(dir, 'sshd_config')], {
        stdio: ['ignore', 'ignore', 'pipe'],
        detached: true,
      })
      child = started
      await new Promise<void>((resolve, reject) => {
        started.on('error', reject)
        started.on('exit', (code) => reject(new Error(`sshd ended with ${code}:\n${log}`)))
        started.stderr.on('data', (chunk: Buffer) => {
          log += chunk
          if (log.includes('Server listening')) resolve()
        })
      })
    },
    async kill() {
      const running = child
      child = undefined
      if (!running?.pid || running.exitCode !== null || running.signalCode) return
      const ended = new Promise((resolve) => running.once('exit', resolve))
      killTree(running.pid)
      await ended
    },
    async stop() {
      await server.kill()
      rmSync(dir, {recursive: true, force: true})
    },
  }
  await server.start()
  return server
}

/** sshd puts each connection into a session of its own, so they are found by their parents. */
function killTree(root: number): void {
  const list = execFileSync('ps', ['-eo', 'pid=,ppid='], {encoding: 'utf8'})
  const children = new Map<number, number[]>()
  for (const line of list.trim().split('\n')) {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number)
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const all = [root]
  for (const pid of all) all.push(...(children.get(pid) ?? []))
  for (const pid of all) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // Gone by itself in the meantime.
    }
  }
}
