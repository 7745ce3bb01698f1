/** Variables of ours that hold a secret. */
const SECRETS = new Set(['OLLAMAX_SSH_PASSWORD', 'OLLAMAX_SSH_PASSPHRASE', 'OLLAMAX_SUDO_PASSWORD'])

/** An environment for a process that outlives this command: without the secrets that were for us alone. */
export function withoutSecrets(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !SECRETS.has(name)))
}
