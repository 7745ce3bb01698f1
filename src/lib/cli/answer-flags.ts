import {Args, Flags} from '@oclif/core'

/** Words of every command that takes a prompt. */
export const promptArgs = () => ({
  model: Args.string({description: 'name of the model', required: true}),
  prompt: Args.string({
    multiple: true,
    ignoreStdin: true,
    description: 'what to ask; standard input is put behind it',
  }),
})

/** Flags of every command that lets a model write: what is asked and how. */
export const answerFlags = () => ({
  system: Flags.string({summary: 'system message', helpValue: 'TEXT'}),
  option: Flags.string({
    summary: 'option of the model run, for example temperature=0; may be repeated',
    helpValue: 'KEY=VALUE',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'num-ctx': Flags.integer({
    summary: 'context length in tokens; another one than it was loaded with reloads the model',
    min: 1,
  }),
  seed: Flags.integer({summary: 'seed of the random choice of tokens'}),
  format: Flags.string({
    summary: 'answer as JSON, or as JSON that follows the schema in a file',
    helpValue: 'json|FILE',
  }),
  image: Flags.string({
    summary: 'image to show to the model; may be repeated',
    helpValue: 'FILE',
    multiple: true,
    multipleNonGreedy: true,
  }),
  think: Flags.boolean({summary: 'let the model think before it answers, or not', allowNo: true}),
  'keep-alive': Flags.string({
    summary: 'how long the model stays in memory afterwards',
    helpValue: '10m|0|-1',
  }),
})

/** Flags of every command that chooses a node for a request. */
export const routeFlags = () => ({
  node: Flags.string({summary: 'ask this node only', helpValue: 'NAME'}),
  policy: Flags.string({
    summary:
      'how to choose among the nodes: expected-time, round-robin, least-loaded, weighted, latency, random, sticky or tiers',
    helpValue: 'NAME',
  }),
  timeout: Flags.string({summary: 'longest time for the whole answer', helpValue: '10m'}),
  verbose: Flags.boolean({summary: 'print counts and durations on stderr'}),
  explain: Flags.boolean({summary: 'print on stderr why the node was chosen'}),
  reuse: Flags.boolean({
    summary: 'use the background connection to an SSH node',
    default: true,
    allowNo: true,
  }),
  pull: Flags.boolean({summary: 'pull the model if no node has it', allowNo: true}),
})

/** What `answerFlags` parse to. */
export interface AnswerFlags {
  readonly system?: string | undefined
  readonly option?: readonly string[] | undefined
  readonly 'num-ctx'?: number | undefined
  readonly seed?: number | undefined
  readonly format?: string | undefined
  readonly image?: readonly string[] | undefined
  readonly think?: boolean | undefined
  readonly 'keep-alive'?: string | undefined
}

/** What `routeFlags` parse to. */
export interface RouteFlags {
  readonly node?: string | undefined
  readonly policy?: string | undefined
  readonly timeout?: string | undefined
  readonly verbose?: boolean | undefined
  readonly explain?: boolean | undefined
  readonly pull?: boolean | undefined
}
