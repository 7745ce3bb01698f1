import type {AnyAuthMethod} from 'ssh2'
import type {Ask} from '../../cluster/ask.ts'
import type {Deadline} from '../deadline.ts'
import type {SshTarget} from '../target.ts'

/** Secrets that a caller already has (from stdin, say). Asked for only when a server wants them. */
export interface Secrets {
  readonly password?: string | undefined
  readonly passphrase?: string | undefined
}

export interface AuthOptions {
  readonly target: SshTarget
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly secrets?: Secrets | undefined
  readonly ask?: Ask | undefined
  readonly deadline: Deadline
  /** Told of what ends the attempt at once: the user's Ctrl-C at a question. */
  readonly fail: (error: unknown) => void
}

/** One way to log in. */
export type Step = {
  readonly method: string
  readonly label: string
  /** Undefined: the step turned out to be impossible. */
  readonly make: () => Promise<AnyAuthMethod | undefined>
}
