import type {SshNode} from '../cluster/node.ts'
import {messageOf} from '../errors.ts'
import type {Remote} from '../ssh/remote.ts'
import {appendChange} from '../state/change-log.ts'
import {operatorName} from '../state/operator.ts'
import type {Paths} from '../state/paths.ts'
import {recorded} from './record-changes.ts'

/** Gives a node's machine so that what is changed on it goes into the log of changes. */
export type ChangeRecorder = (node: Pick<SshNode, 'name' | 'ssh'>, remote: Remote) => Remote

export interface ChangeRecorderOptions {
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly paths: Pick<Paths, 'data'>
  readonly cluster: string
  readonly note?: ((text: string) => void) | undefined
}

/** A log that cannot be written is told once and stops nothing: what was begun on a machine is to be ended. */
export function changeRecorder(options: ChangeRecorderOptions): ChangeRecorder {
  const {env, paths, cluster, note} = options
  const who = operatorName(env)
  const by = commandWords(process.argv)
  let told = false
  return ({name: node, ssh: host}, remote) =>
    recorded(remote, (change) => {
      try {
        appendChange(paths, {...change, who, by, cluster, node, host})
      } catch (error) {
        if (!told) note?.(`warning: the log of changes is not whole: ${messageOf(error)}`)
        told = true
      }
    })
}

/** The first two words of the command line, which name the command, up to a flag or a value with more than letters. */
function commandWords(argv: readonly string[]): string {
  const words = argv.slice(2, 4)
  const end = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word))
  return (end < 0 ? words : words.slice(0, end)).join(' ')
}
