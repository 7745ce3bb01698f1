/** Exit codes by meaning; the same table stands in docs/errors.md, and a test compares them. */
const EXIT = {
  failure: 1,
  usage: 2,
  notFound: 3,
  unreachable: 4,
  conflict: 5,
  denied: 6,
  interrupted: 130,
} as const

/** Every error that a user can meet: its stable code, its exit code and what it means in general. */
export const CATALOGUE = {
  // usage and input
  BAD_INPUT: {
    exit: EXIT.usage,
    about: 'a value given on the command line or on stdin cannot be used',
  },
  NEEDS_TTY: {
    exit: EXIT.usage,
    about: 'a terminal is needed, to ask a question or to draw on, and there is none',
  },
  CONFIRM_NEEDED: {exit: EXIT.usage, about: 'a destructive command without a terminal needs --yes'},
  NOT_CONFIRMED: {
    exit: EXIT.failure,
    about: 'the answer to a question was no; nothing was changed',
  },
  // wanted state
  CONFIG_INVALID: {
    exit: EXIT.usage,
    about: 'the cluster file, the preferences or the keys cannot be used as they are',
  },
  CLUSTER_NOT_FOUND: {exit: EXIT.notFound, about: 'no cluster of that name'},
  CLUSTER_EXISTS: {exit: EXIT.conflict, about: 'a cluster of that name is there already'},
  NODE_NOT_FOUND: {exit: EXIT.notFound, about: 'no node of that name in the cluster'},
  NODE_EXISTS: {exit: EXIT.conflict, about: 'a node of that name is in the cluster already'},
  CONFIG_CHANGED: {
    exit: EXIT.conflict,
    about: 'the cluster file was changed by somebody else in the meantime',
  },
  KEY_NOT_FOUND: {exit: EXIT.notFound, about: 'no key of that name or id in the cluster'},
  KEY_EXISTS: {
    exit: EXIT.conflict,
    about: 'the cluster has that key, or one of that name, already',
  },
  LOCKED: {exit: EXIT.conflict, about: 'another process holds the lock'},
  STATE_IO: {exit: EXIT.failure, about: 'a file of ours could not be read or written'},
  PLAN_UNMET: {
    exit: EXIT.failure,
    about: 'what the cluster file wants cannot be had from the fleet as it is',
  },
  PLAN_CHANGED: {
    exit: EXIT.conflict,
    about: 'the fleet or the cluster file changed after the plan was shown',
  },
  // reaching a node
  SSH_NO_HOST: {exit: EXIT.unreachable, about: 'the name does not resolve to a machine'},
  SSH_UNREACHABLE: {exit: EXIT.unreachable, about: 'no SSH server answered there'},
  SSH_DENIED: {
    exit: EXIT.denied,
    about: 'the SSH server refused every credential that was offered',
  },
  SSH_KEY: {exit: EXIT.denied, about: 'a private key could not be read or unlocked'},
  HOST_KEY_UNKNOWN: {
    exit: EXIT.denied,
    about: 'the host is not known yet and nobody accepted its key',
  },
  HOST_KEY_CHANGED: {exit: EXIT.denied, about: 'the host shows another key than the one on record'},
  HOST_KEY_REVOKED: {exit: EXIT.denied, about: 'the host shows a key that is marked as revoked'},
  SSH_LOST: {exit: EXIT.unreachable, about: 'the SSH connection ended while it was needed'},
  SSH_NO_SHELL: {exit: EXIT.denied, about: 'the account may not run commands (sftp only, nologin)'},
  SSH_CHANNEL: {exit: EXIT.unreachable, about: 'the SSH server refused one more channel'},
  NODE_UNREACHABLE: {exit: EXIT.unreachable, about: 'the node does not answer'},
  TIMEOUT: {exit: EXIT.unreachable, about: 'a deadline passed'},
  NODE_ERROR: {exit: EXIT.failure, about: 'the node answered with an error'},
  // changing a host
  UNFIT: {exit: EXIT.failure, about: 'the host cannot become a node as it is'},
  SUDO_DENIED: {exit: EXIT.denied, about: 'root rights are needed and are not to be had'},
  ARTIFACT_BAD: {
    exit: EXIT.failure,
    about: 'the Ollama archive is missing, truncated, of another machine, or not what it should be',
  },
  ACTION_FAILED: {exit: EXIT.failure, about: 'a step on the host failed'},
  VERIFY_FAILED: {exit: EXIT.failure, about: 'the host was changed, but does not work as a node'},
  SOME_NODES_FAILED: {
    exit: EXIT.failure,
    about: 'the command failed on at least one of several nodes',
  },
  DOCTOR_FINDINGS: {exit: EXIT.failure, about: 'doctor found at least one problem'},
  HOOK_FAILED: {
    exit: EXIT.failure,
    about: 'a program that the cluster file names as a hook failed, or may not be run',
  },
  STEP_FAILED: {exit: EXIT.failure, about: 'a command that the tour ran failed'},
  REMOTE_EXIT: {exit: EXIT.failure, about: 'a command on a node ended with a non-zero exit code'},
  // models
  MODEL_DAMAGED: {
    exit: EXIT.failure,
    about: 'files of a model are missing, or are not what their digests say',
  },
  MODEL_PINNED: {exit: EXIT.conflict, about: 'the cluster file says that the model stays'},
  NO_SPACE: {exit: EXIT.failure, about: 'there is not enough room on the disk or in memory'},
  // inference
  MODEL_NOT_FOUND: {exit: EXIT.notFound, about: 'no node has the model'},
  NO_CANDIDATE: {exit: EXIT.unreachable, about: 'no node can take the request now'},
  REQUEST_NOT_FOUND: {
    exit: EXIT.notFound,
    about: 'the gateway works on no request of that id, or knows of none',
  },
  REQUEST_REFUSED: {exit: EXIT.usage, about: 'the node says that the request itself is wrong'},
  INFERENCE_FAILED: {exit: EXIT.unreachable, about: 'every node that was tried failed'},
  LINES_FAILED: {exit: EXIT.failure, about: 'some lines of a batch have no answer'},
  STREAM_CUT: {exit: EXIT.unreachable, about: 'the answer stopped before its end'},
  // embedded node
  ENGINE_MISSING: {
    exit: EXIT.failure,
    about: 'the embedded node is not installed and cannot be fetched',
  },
  ENGINE_FAILED: {exit: EXIT.failure, about: 'the embedded node does not work'},
  DOWNLOAD_FAILED: {
    exit: EXIT.failure,
    about: 'something could not be downloaded or is not what it should be',
  },
  INTERRUPTED: {exit: EXIT.interrupted, about: 'the user or a signal ended the command'},
} as const

/** A stable name of an error, as scripts may rely on it. */
export type Code = keyof typeof CATALOGUE

const MARK = Symbol.for('ollamax.error')

export interface ErrorHelp {
  /** What to do next, as sentences or commands; printed under "Try this:". */
  readonly suggestions?: readonly string[]
  readonly cause?: unknown
  /** Machine-readable context, printed with --json only; never a secret. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** An error that a user can act on: what happened and why in `message`, what next in `suggestions`. */
export class OllamaxError extends Error {
  readonly code: Code
  readonly suggestions: readonly string[]
  readonly details: Readonly<Record<string, unknown>> | undefined
  /** The shape that oclif's own printer reads. */
  readonly oclif: {readonly exit: number}

  constructor(code: Code, message: string, help: ErrorHelp = {}) {
    super(message, help.cause === undefined ? undefined : {cause: help.cause})
    this.name = 'OllamaxError'
    this.code = code
    this.suggestions = help.suggestions ?? []
    this.details = help.details
    this.oclif = {exit: CATALOGUE[code].exit}
    Object.defineProperty(this, MARK, {value: true})
  }

  /** True for every error of ours, also one that another bundle of ours made (so no `instanceof`). */
  static is(error: unknown, code?: Code): error is OllamaxError {
    return (
      typeof error === 'object' &&
      error !== null &&
      MARK in error &&
      (code === undefined || (error as {code?: unknown}).code === code)
    )
  }
}

/** The message of anything that was thrown, for use inside a message of ours. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** True for the error that an aborted AbortSignal makes. */
export function isAbort(error: unknown): boolean {
  return (
    error instanceof Error && (error.name === 'AbortError' || OllamaxError.is(error, 'INTERRUPTED'))
  )
}
