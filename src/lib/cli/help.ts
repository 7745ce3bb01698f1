import {run} from '@oclif/core/run'

/** The whole of oclif: help, unknown commands and everything else that is not a plain known command. */
export async function runOclif(argv: string[], root: string): Promise<void> {
  await run(argv, root)
}
