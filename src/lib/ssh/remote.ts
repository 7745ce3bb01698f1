import type {Duplex, Readable} from 'node:stream'
import type {Login} from './connect/lend-login.ts'

/** What ran on the other side, once it has ended. */
export interface ExecResult {
  /** Exit code; 128 + n where signal n ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A part of a script. */
export interface RemoteStep {
  readonly title: string
  /** How long it took; undefined: it is not done. */
  ms?: number
}

export interface ExecOptions {
  /** It changes nothing there, so that it does not go into the log of changes. All else does. */
  readonly reads?: true
  /** What it does, in words, for that log; never a value that may be secret. */
  readonly title?: string
  /** Instead of `title`, a script of several steps, which the caller marks as they are done. */
  readonly steps?: readonly RemoteStep[]
  /** Become `$1`, `$2`...: each goes through `quote()`, so any string is safe. */
  readonly args?: readonly string[]
  /** Sent to the command's standard input, which is closed afterwards. */
  readonly stdin?: string | Uint8Array | Readable
  /** Ask for a terminal (sudo with requiretty). stdout and stderr then come as one. */
  readonly pty?: boolean
  /** Where it returns a promise, no more is taken from the other side before that settles. */
  readonly onStdout?: (chunk: Buffer) => Promise<void> | void
  readonly onStderr?: (chunk: Buffer) => void
  /** Bytes of stdout and of stderr kept each; more is cut, with a mark. Default 8 MiB. */
  readonly maxBytes?: number
  /** Default 60,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** While the script runs it may log in to that one machine in our name, through SSH_AUTH_SOCK. */
  readonly lend?: Login | undefined
}

export interface PutOptions {
  /** What it is for, in the log of changes. Default: the path. */
  readonly title?: string
  /** Octal permission bits of the file there. */
  readonly mode?: number
  /** Bytes sent so far, for progress. */
  readonly onBytes?: (sent: number) => void
  /** Longest time without a byte accepted. Default 30,000. */
  readonly stallMs?: number
  readonly signal?: AbortSignal
}

/**
 * One machine at the other end of an SSH connection. Deadlines and aborts end the channel, not the
 * connection. Errors are OllamaxErrors (SSH_LOST, SSH_CHANNEL, SSH_NO_SHELL, TIMEOUT, ...).
 */
export interface Remote {
  /** As the user named it, for messages. */
  readonly target: string
  /** SHA256 fingerprint of the host key that was accepted. */
  readonly hostKey: string
  /**
   * True where a certificate authority of known_hosts vouched for that key. It may change under the
   * authority, so it is not to be pinned.
   */
  readonly certified: boolean
  /** How another machine could log in here in our name, see `ExecOptions.lend`; undefined where none could. */
  readonly login?: Login | undefined
  /**
   * Runs a constant POSIX script by `/bin/sh`, values as `args`. Output of the account's own start-up
   * files is kept out of `stdout`. A non-zero exit code is a result, not an error.
   */
  exec(script: string, options?: ExecOptions): Promise<ExecResult>
  /** Writes a file over SFTP: to `path + '.part'` first, renamed when whole. */
  put(source: Readable | Uint8Array, path: string, options?: PutOptions): Promise<void>
  /** A TCP stream from that machine to `host:port` as seen there; destroy it to close the channel. */
  forward(port: number, options?: {host?: string; signal?: AbortSignal}): Promise<Duplex>
  /** An interactive login shell (or `command`) wired to this terminal; resolves with its exit code. */
  shell(command?: string): Promise<number>
  close(): Promise<void>
}
