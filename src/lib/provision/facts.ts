/** What could not be found out is said so, never guessed. */
export type Known<T> = T | 'unknown'

/**
 * How the login account becomes root. `password`: sudo wants one (whether the account may use it is
 * known only once it is given); `denied`: it is not in sudoers.
 */
export const SUDO_KINDS = [
  'root',
  'passwordless',
  'password',
  'requiretty',
  'denied',
  'absent',
] as const

export type SudoKind = (typeof SUDO_KINDS)[number]
export type Sudo = Known<SudoKind>

export interface Gpu {
  readonly vendor: 'nvidia' | 'amd' | 'apple' | 'other'
  readonly name: string
  readonly vramBytes: Known<number>
  /** `none`: the hardware is there and no driver is. */
  readonly driver: Known<string>
}

/** The file system that a path lies on (or would lie on). */
export interface Place {
  readonly freeBytes: Known<number>
  readonly readOnly: Known<boolean>
  readonly noExec: Known<boolean>
}

/** Who brought an Ollama that is there already. */
export type InstalledBy = 'ollamax' | 'script' | 'package' | 'user' | 'unknown'

/** A version of Ollama that we unpacked. */
export interface Tree {
  readonly name: string
  /** Checksum of the archive that it came from. */
  readonly sha256: string
  /** As its program says. */
  readonly version: Known<string>
}

/** One of the two ways to install: as root for the machine, or below the login account. */
export interface Installation {
  /** The service as systemd knows it; undefined: there is none. */
  readonly unit?: {
    readonly path: string
    readonly dropIns: readonly string[]
    readonly active: boolean
    readonly enabled: boolean
    readonly mainPid: number
    readonly user: string
    readonly execStart: string
    readonly env: Readonly<Record<string, string>>
    /** systemd has not read what is on disk now. */
    readonly stale: boolean
  }
  /** Text of our own files, as they are there now. */
  readonly unitText?: string
  readonly dropInText?: string
  readonly supervisorText?: string
  /** Of launchd, on macOS. */
  readonly plistText?: string
  /** The tree that is switched on. */
  readonly current?: string
  /** The one that was before it. */
  readonly previous?: string
  readonly trees: readonly Tree[]
  /** Something was changed that the running service has not taken up. */
  readonly pending: boolean
  /** What we changed on this host, one `key=value` a line. */
  readonly manifest: Readonly<Record<string, string>>
}

/** What one look at a host found. */
export interface Facts {
  readonly os: 'linux' | 'darwin' | 'other'
  readonly kernel: string
  /** `amd64`, `arm64`, or what `uname -m` says. */
  readonly arch: string
  readonly hostname: string
  readonly distribution: Known<{
    readonly id: string
    readonly version: string
    readonly name: string
  }>
  readonly libc: Known<{readonly kind: 'glibc' | 'musl'; readonly version: string}>
  readonly init:
    | {readonly kind: 'systemd'; readonly version: Known<number>; readonly state: string}
    | {readonly kind: 'launchd'}
    | {readonly kind: 'other'; readonly name: string}
  readonly user: string
  readonly uid: number
  readonly home: string
  readonly sudo: Sudo
  readonly gpus: Known<readonly Gpu[]>
  readonly memoryBytes: Known<number>
  readonly cpus: Known<number>
  /** By path: `/opt`, `/usr/local/bin`, `/etc/systemd/system`, `/tmp`, `/var/tmp`, `home`, `models`. */
  readonly places: Readonly<Record<string, Place>>
  readonly tools: readonly string[]
  /** Where models lie, or would lie. */
  readonly modelsPath: Known<string>
  readonly ollama: {
    /** The program that an interactive user gets, links resolved. */
    readonly binary?: string
    readonly installedBy?: InstalledBy
    /** Of the program, not of what answers. */
    readonly version: Known<string>
    /** Version that answers on `port`; undefined: nothing answers as Ollama does. */
    readonly answers?: string
    /** Names of containers that run an Ollama image; empty also where that cannot be seen. */
    readonly containers: readonly string[]
  }
  /** Port that was looked at: the service's own, or the wanted one. */
  readonly port: number
  /** Who listens there: address and account; undefined: nobody. */
  readonly listener?: {readonly address: string; readonly user: string}
  readonly system: Installation
  readonly own: Installation
  /** The account's own systemd answers. */
  readonly userManager: boolean
  readonly linger: Known<boolean>
  /** It lingers, or polkit lets the account switch that on. */
  readonly mayLinger: boolean
  /** cron runs, and the account may have a table. */
  readonly cron: boolean
  readonly ollamaUser: boolean
  /** Bytes of the archive that already lies in the staging directory. */
  readonly staged?: number
  /** Whether the release site can be reached from there; asked only when it may be needed. */
  readonly reachesReleases: Known<boolean>
  /** Their clock minus ours; right to within `accuracyMs`. */
  readonly clock: Known<{readonly skewMs: number; readonly accuracyMs: number}>
}
