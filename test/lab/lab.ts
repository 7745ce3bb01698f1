import {type ChildProcess, spawn} from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {basename, join} from 'node:path'
import {
  type CliOptions,
  type CliResult,
  type RunningCli,
  runCli,
  startCli,
} from '../support/run-cli.ts'
import {type TempHome, tempHome} from '../support/temp-home.ts'
import {waitFor} from '../support/wait-for.ts'
import {hostImage} from './image.ts'
import {type LabNet, labNet} from './net.ts'
import {must, type ToolOptions, type ToolResult, tool} from './tools.ts'

const INSIDE = join(import.meta.dirname, 'inside.sh')
const TAME = '--bounding-set=-sys_time,-sys_module,-sys_rawio,-syslog,-mknod'
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface LabOptions {
  /** How many hosts; they are called h1, h2... */
  readonly hosts: number
  /** Size of a host's disk as mount(8) takes it. Default 1g; it lies in memory, as it is filled. */
  readonly disk?: string
  /** Hosts with no init system, by number. */
  readonly plain?: readonly number[]
}

/**
 * Real machines in namespaces: each with its own IP, users, disk, systemd as PID 1 and OpenSSH, in a network that has
 * no way out. Several labs at once do not see each other, and none outlives the process that started it.
 */
export interface Lab {
  /** The operator's environment: a home of its own, and the ssh_config that knows all hosts. */
  readonly home: TempHome
  /** Holds `ssh_config`, `known_hosts` and the operator's key `id`. */
  readonly dir: string
  ip(host: number): string
  /** The built ollamax, on the operator's side. */
  cli(args: readonly string[], options?: Partial<CliOptions>): Promise<CliResult>
  startCli(args: readonly string[], options?: Partial<CliOptions>): RunningCli
  /** Any command on the operator's side. */
  tool(words: readonly string[], options?: ToolOptions): Promise<ToolResult>
  /** The words that run a command on the operator's side, for who starts it otherwise. */
  inside(words: readonly string[]): string[]
  /** A shell script as root on a host, behind SSH's back; fails on a non-zero exit, gives its stdout. */
  exec(host: number, script: string, options?: ToolOptions): Promise<string>
  /** CPU time that all processes of a host have used since it was plugged in. */
  cpuMs(host: number): number
  readonly power: {
    /** Boots a host and waits for its SSH server. */
    on(host: number): Promise<void>
    /** An orderly halt. */
    off(host: number): Promise<void>
    /** An orderly restart, until its SSH server is back. */
    reboot(host: number): Promise<void>
    /** Pulls the plug. */
    cut(host: number): Promise<void>
    /** Stops all that runs on it: TCP still accepts, nothing answers. */
    freeze(host: number): void
    thaw(host: number): void
    /** Until the host has booted again since `bootId` was read. */
    rebooted(host: number, bootId: string): Promise<void>
    bootId(host: number): string
  }
  readonly net: LabNet
  close(): Promise<void>
}

/** Starts a lab; needs root. About a second, and a minute more when the image has to be built. */
export async function startLab(options: LabOptions): Promise<Lab> {
  sweep()
  const image = await hostImage()
  const dir = mkdtempSync(join(tmpdir(), 'ollamax-lab-'))
  const home = tempHome()
  const lab = new NamespaceLab(dir, home, image)
  try {
    await lab.start(options)
    return lab
  } catch (error) {
    await lab.close()
    throw error
  }
}

/** Labs of killed test runs have ended with them; only their directories may lie about. */
function sweep(): void {
  for (const name of readdirSync(tmpdir()).filter((n) => n.startsWith('ollamax-lab-'))) {
    const dir = join(tmpdir(), name)
    try {
      const pid = readFileSync(join(dir, 'lab.pid'), 'utf8').trim()
      if (!existsSync(`/proc/${pid}`)) rmSync(dir, {recursive: true, force: true})
    } catch {
      // It is just being made, or another run is sweeping.
    }
  }
}

class NamespaceLab implements Lab {
  readonly dir: string
  readonly home: TempHome
  readonly net: LabNet
  readonly power: Lab['power']
  readonly #env: NodeJS.ProcessEnv
  readonly #cgroups: string
  #root: ChildProcess | undefined
  #pid = ''

  constructor(dir: string, home: TempHome, image: string) {
    this.dir = dir
    this.home = home
    this.#env = {
      ...process.env,
      LAB_RUN: dir,
      LAB_IMAGE: image,
      LAB_NODE: realpathSync(process.execPath),
      LAB_OUTER: readlinkSync('/proc/self/ns/mnt'),
    }
    const unified = readdirSync('/sys/fs/cgroup').includes('unified') ? 'unified' : ''
    this.#cgroups = join('/sys/fs/cgroup', unified, basename(dir))
    this.net = labNet((words) => this.#must(words))
    this.power = {
      on: async (host) => {
        await this.#boot(host)
        await this.#must(['bash', INSIDE, 'answers', this.ip(host)])
      },
      off: async (host) => {
        await this.#detached(host, 'systemctl poweroff')
        await this.#isOff(host)
      },
      reboot: async (host) => {
        const before = this.power.bootId(host)
        await this.#detached(host, 'systemctl reboot')
        await this.power.rebooted(host, before)
      },
      cut: async (host) => {
        process.kill(Number(this.#pidOf(host)), 'SIGKILL')
        await this.#isOff(host)
      },
      freeze: (host) => writeFileSync(join(this.#cgroups, `h${host}/cgroup.freeze`), '1'),
      thaw: (host) => writeFileSync(join(this.#cgroups, `h${host}/cgroup.freeze`), '0'),
      bootId: (host) => readFileSync(`/proc/${this.#pidOf(host)}/root/run/boot_id`, 'utf8').trim(),
      rebooted: async (host, before) => {
        const again = (): boolean => this.power.bootId(host) !== before
        await waitFor(`h${host} to boot again`, again, {timeoutMs: 30_000})
        await this.#must(['bash', INSIDE, 'answers', this.ip(host)])
      },
    }
  }

  async start({hosts, disk = '1g', plain = []}: LabOptions): Promise<void> {
    const numbers = Array.from({length: hosts}, (_, i) => i + 1)
    await must([
      'ssh-keygen',
      '-q',
      '-t',
      'ed25519',
      '-N',
      '',
      '-C',
      'operator',
      '-f',
      join(this.dir, 'id'),
    ])
    const names = numbers.map((n) => `${this.ip(n)} h${n}`)
    this.#write('hosts', ['127.0.0.1 localhost', '10.77.0.1 operator', ...names])
    this.#write('known_hosts', [])
    this.#write('ssh_config', [
      'Host *',
      '  User ops',
      '  IdentitiesOnly yes',
      `  IdentityFile ${join(this.dir, 'id')}`,
      `  UserKnownHostsFile ${join(this.dir, 'known_hosts')}`,
    ])
    for (const n of plain) this.#write(`h${n}.plain`, [])
    // PDEATHSIG twice: the lab dies with this process, and all in it with the lab's PID 1.
    this.#root = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'KILL',
        'unshare',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount',
        '--net',
      ].concat(['--propagation', 'private', 'bash', INSIDE, 'lab']),
      {env: this.#env, stdio: ['ignore', 'ignore', 'inherit']},
    )
    this.#pid = await waitFor('the lab', () => {
      if (this.#root?.exitCode !== null) throw new Error('the lab ended at once')
      return readFileSync(join(this.dir, 'lab.pid'), 'utf8').trim()
    })
    await Promise.all(
      numbers.map(async (n) => {
        await this.#must(['bash', INSIDE, 'plug', String(n), disk])
        await this.power.on(n)
      }),
    )
  }

  ip(host: number): string {
    return `10.77.0.${10 + host}`
  }

  cli(args: readonly string[], options: Partial<CliOptions> = {}): Promise<CliResult> {
    return runCli(args, this.#cliOptions(options))
  }

  startCli(args: readonly string[], options: Partial<CliOptions> = {}): RunningCli {
    return startCli(args, this.#cliOptions(options))
  }

  tool(words: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
    return tool(this.inside(words), options)
  }

  inside(words: readonly string[]): string[] {
    return [...this.#enter(), ...words]
  }

  exec(host: number, script: string, options: ToolOptions = {}): Promise<string> {
    return this.#in(host, script, options)
  }

  cpuMs(host: number): number {
    const stat = readFileSync(join(this.#cgroups, `h${host}/cpu.stat`), 'utf8')
    return Number(/^usage_usec (\d+)$/m.exec(stat)?.[1]) / 1000
  }

  async close(): Promise<void> {
    this.#killStragglers()
    const root = this.#root
    if (root && root.exitCode === null && root.signalCode === null) {
      const ended = new Promise((resolve) => root.once('exit', resolve))
      root.kill('SIGKILL')
      await ended
      const gone = (): boolean => !readdirSync('/proc').includes(this.#pid)
      if (this.#pid) await waitFor('the lab to end', gone)
    }
    await tool(['find', this.#cgroups, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+'])
    rmSync(this.dir, {recursive: true, force: true})
    this.home.dispose()
  }

  #cliOptions(options: Partial<CliOptions>): CliOptions {
    const env = {...this.home.env, OLLAMAX_SSH_CONFIG: join(this.dir, 'ssh_config')}
    return {...options, env: {...env, ...options.env}, wrap: this.#enter()}
  }

  /** Words that put a command on the operator's side: one process, so that a signal reaches it. */
  #enter(): string[] {
    return ['nsenter', '-t', this.#pid, '-m', '-n', `--wdns=${process.cwd()}`, '--']
  }

  #must(words: readonly string[]): Promise<string> {
    return must([...this.#enter(), ...words], {env: this.#env})
  }

  #in(host: number, script: string, options: ToolOptions = {}): Promise<string> {
    const enter = ['nsenter', '-t', this.#pidOf(host), '-a', '--', 'setpriv', TAME]
    const clean = ['env', '-i', `PATH=${PATH}`, 'HOME=/root', 'TERM=dumb', 'bash', '-ec', script]
    return must([...enter, ...clean], options)
  }

  /**
   * For what ends the host. It must not hold an nsenter: a shutdown stops all processes for a moment, nsenter then stops
   * itself, and nobody wakes it.
   */
  async #detached(host: number, script: string): Promise<void> {
    await this.#in(host, `setsid -f sh -c 'sleep 0.05; ${script}' >/dev/null 2>&1 </dev/null`)
  }

  async #boot(host: number): Promise<void> {
    const enter = ['nsenter', '-t', this.#pid, '-m', '-n', '-p', '--wdns=/', '--']
    const log = join(this.dir, `h${host}.log`)
    const board = `exec bash ${INSIDE} board ${host} </dev/null >>${log} 2>&1`
    await must([...enter, 'setsid', '-f', 'bash', '-c', board], {env: this.#env})
  }

  #pidOf(host: number): string {
    return readFileSync(join(this.dir, `h${host}.pid`), 'utf8').trim()
  }

  async #isOff(host: number): Promise<void> {
    await waitFor(`h${host} to go off`, () => !readdirSync(this.dir).includes(`h${host}.pid`), {
      timeoutMs: 20_000,
    })
  }

  /** What a CLI left running on the operator's side (as a connection holder does) has our network and no other. */
  #killStragglers(): void {
    if (!this.#pid) return
    const netOf = (pid: string): string | undefined => {
      try {
        return readlinkSync(`/proc/${pid}/ns/net`)
      } catch {
        return undefined // it has ended meanwhile
      }
    }
    const ours = netOf(this.#pid)
    if (ours === undefined || ours === netOf('self')) return
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (pid === this.#pid || netOf(pid) !== ours) continue
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // it has ended meanwhile
      }
    }
  }

  #write(file: string, lines: readonly string[]): void {
    writeFileSync(join(this.dir, file), lines.map((line) => `${line}\n`).join(''), {mode: 0o600})
  }
}
