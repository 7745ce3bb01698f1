import {timeoutFlag} from './flags.ts'
import {Flags} from './oclif.ts'

/** Of every command that looks at the whole fleet over SSH. */
export const fleetFlags = () => ({
  concurrency: Flags.integer({summary: 'nodes at the same time', default: 8, min: 1, max: 64}),
  timeout: timeoutFlag('30s'),
})
