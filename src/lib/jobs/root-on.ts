import {OllamaxError} from '../errors.ts'
import type {Facts} from '../provision/facts.ts'
import {asRoot, type Root, rootByTty, rootFor} from '../provision/privilege.ts'
import type {Remote} from '../ssh/remote.ts'
import type {SudoPassword} from './sudo-password.ts'

/**
 * The way to root on a host, tried out if it needs a password: a wrong one must be known before
 * anything is changed. SUDO_DENIED, NEEDS_TTY.
 */
export async function rootOn(
  remote: Remote,
  facts: Facts,
  {name, sudoPassword}: {readonly name: string; readonly sudoPassword: SudoPassword},
): Promise<Root> {
  const password = () => sudoPassword(name)
  const root =
    facts.sudo === 'requiretty'
      ? await rootByTty(remote, password)
      : await rootFor(facts.sudo, password)
  if (!root)
    throw new OllamaxError(
      'SUDO_DENIED',
      `${name}: root is needed, and the account ${facts.user} cannot become root there`,
      {
        suggestions: [
          'Install below the account instead: add --user-mode',
          'Log in as an account that may use sudo',
        ],
      },
    )
  if (root.kind === 'sudo-password')
    await asRoot(remote, root, {script: 'exit 0', options: {reads: true}})
  return root
}
