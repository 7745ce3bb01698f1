import {Flags} from '@oclif/core'

/** How a batch is to be worked through. */
export const batchFlags = () => ({
  output: Flags.string({
    char: 'o',
    summary: 'file of the answers, appended to; `-`: standard output',
    default: '-',
    helpValue: 'FILE',
  }),
  model: Flags.string({
    char: 'm',
    summary: 'model of all lines, whatever they name; default: each names its own',
    helpValue: 'NAME',
  }),
  concurrency: Flags.string({
    summary: 'requests under way; auto: as many as the nodes take',
    default: 'auto',
    helpValue: 'N|auto',
  }),
  'keep-order': Flags.boolean({summary: 'answers stand in the order of their lines'}),
  retries: Flags.integer({
    summary: 'tries after the first one, of a line that nodes failed',
    default: 3,
    min: 0,
    max: 100,
  }),
  'retry-failed': Flags.boolean({
    summary: 'ask those lines of the output once more that failed',
    exclusive: ['keep-order'],
  }),
  'skip-broken': Flags.boolean({
    summary: 'lines that cannot be asked are failed ones, and no reason not to begin',
  }),
  'line-timeout': Flags.string({
    summary: 'longest time for one try, waiting for a slot included',
    default: '15m',
    helpValue: '15m',
  }),
  patience: Flags.string({
    summary: 'give up when nobody has taken a line for so long',
    default: '10m',
    helpValue: '10m',
  }),
  'drain-timeout': Flags.string({
    summary: 'after Ctrl-C, longest time for running lines',
    default: '1m',
    helpValue: '1m',
  }),
})
