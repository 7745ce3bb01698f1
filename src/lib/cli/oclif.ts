// The part of oclif that every command needs, from its subpaths: the index would load all of it.
import * as Args from '@oclif/core/args'
import {Command} from '@oclif/core/command'
import * as Flags from '@oclif/core/flags'

export {Args, Command, Flags}
