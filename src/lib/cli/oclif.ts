// The part of oclif that every command needs, from its subpaths: the index would load all of it.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'

export {Command} from '@oclif/core/command'
export {Args, Flags}
