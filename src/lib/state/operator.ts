import {hostname, userInfo} from 'node:os'

/** Who works here: `account@machine`; whoever became root by sudo is named as themselves. */
export function operatorName(env: Readonly<NodeJS.ProcessEnv>): string {
  return `${env.SUDO_USER || account(env)}@${hostname()}`
}

function account(env: Readonly<NodeJS.ProcessEnv>): string {
  try {
    return userInfo().username
  } catch {
    // A container may run under a number that has no name.
    return env.USER || String(process.getuid?.() ?? 'unknown')
  }
}
