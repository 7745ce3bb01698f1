import type {Tools} from './tools.ts'

/** Gives the password for sudo on a machine; rejects with NEEDS_TTY where there is none to be had. */
export type SudoPassword = (target: string) => Promise<string>

/** One password for all hosts of a run that want one: given, from the environment, or asked for once. */
export function sudoPasswordOf(
  tools: Pick<Tools, 'ask' | 'env'>,
  given: string | undefined,
): SudoPassword {
  let asked: Promise<string> | undefined
  return async (target) => {
    const there = given ?? tools.env.OLLAMAX_SUDO_PASSWORD
    if (there !== undefined) return there
    asked ??= tools.ask.secret(
      `Password for sudo on ${target} (also tried on the other hosts that want one):`,
      '--sudo-password-stdin, OLLAMAX_SUDO_PASSWORD, or --user-mode to do without root',
    )
    return asked
  }
}
