import {Args, Flags} from '@oclif/core'

/** On every command that reads or changes a cluster. */
export const clusterFlag = () =>
  Flags.string({
    summary: 'cluster to work on',
    env: 'OLLAMAX_CLUSTER',
    helpValue: 'NAME',
    helpGroup: 'GLOBAL',
  })

/** On every destructive command. */
export const yesFlag = () => Flags.boolean({char: 'y', summary: 'do not ask'})

/** On every command that waits for nodes; parsed like `30s`. */
export const timeoutFlag = (fallback: string) =>
  Flags.string({summary: 'longest time to wait', helpValue: '30s', default: fallback})

/** On every command that reads nodes; without it, the cluster file's `defaults.readTimeout` holds. */
export const readTimeoutFlag = () =>
  Flags.string({summary: 'longest time to wait for a node; default 3s', helpValue: '3s'})

const PROGRESS_MODES = ['auto', 'plain', 'json', 'none'] as const
export type ProgressMode = (typeof PROGRESS_MODES)[number]

/** On every command that reports progress (on stderr) while it works. */
export const progressFlag = () =>
  Flags.option({
    options: PROGRESS_MODES,
    summary: 'how progress is shown on stderr; auto: live on a terminal, plain lines otherwise',
    default: 'auto',
  })()

/** On every command that works on a choice of nodes; several must all fit. */
export const labelSelectorFlag = () =>
  Flags.string({
    char: 'l',
    multiple: true,
    multipleNonGreedy: true,
    default: [],
    // An empty list is nothing to show as the default.
    noCacheDefault: true,
    summary: 'only nodes with this label: k=v, k!=v, k or !k',
    helpValue: 'LABEL',
  })

/** Where the argument is something else than nodes: names or globs of nodes. */
export const nodesFlag = (summary: string) =>
  Flags.string({
    summary,
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
    default: [],
    noCacheDefault: true,
    helpValue: 'NODE',
  })

/** On the commands that bring models to nodes. */
export const forceModelFlag = () =>
  Flags.boolean({summary: 'bring it also to nodes whose memory can never hold it'})

/** The name of a model. */
export const modelArg = () => Args.string({required: true, description: 'name of the model'})

/** An archive of Ollama to bring, and what it must be. */
export const artifactFlags = () => ({
  artifact: Flags.string({
    summary: 'archive of an Ollama release on this machine, to be carried over',
    helpValue: 'FILE',
  }),
  'artifact-sha256': Flags.string({
    summary: 'checksum that the archive must have',
    dependsOn: ['artifact'],
  }),
})

/** The machines whose own lock is meant. */
export const lockNodeFlag = () =>
  Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    default: [],
    noCacheDefault: true,
    summary: 'also the lock that lies on this machine; a name or glob of nodes',
    helpValue: 'NODE',
  })

/** Names or globs of nodes; with none given a command works on all of them. */
export const nodesArg = (description = 'names or globs of nodes (default: all)') =>
  Args.string({multiple: true, description})

/** The name of one node. */
export const nodeArg = () => Args.string({required: true, description: 'name of the node'})
