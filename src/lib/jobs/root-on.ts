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
  if (!root) throw noRoot(name, `the account ${facts.user}`)
  if (root.kind === 'sudo-password')
    await asRoot(remote, root, {script: 'exit 0', options: {reads: true}})
  return root
}

/**
 * The way to root for a script of service-scripts.ts that ended with 77 (sudo wants a password) or 76 (it
 * wants a terminal, and perhaps a password then). SUDO_DENIED, NEEDS_TTY.
 */
export async function rootAfter(
  remote: Remote,
  code: 76 | 77,
  {name, password}: {readonly name: string; readonly password: () => Promise<string>},
): Promise<Root> {
  const root = code === 76 ? await rootByTty(remote, password) : undefined
  if (code === 76 && !root) throw noRoot(name, 'the account')
  return root ?? {kind: 'sudo-password', password: await password(), tty: false}
}

const noRoot = (name: string, account: string) =>
  new OllamaxError(
    'SUDO_DENIED',
    `${name}: root is needed, and ${account} cannot become root there`,
    {
      suggestions: [
        'Install below the account instead: add --user-mode',
        'Log in as an account that may use sudo',
      ],
    },
  )
