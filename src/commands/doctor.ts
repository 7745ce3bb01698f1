import {BaseCommand} from '../lib/cli/base-command.ts'
import {labelSelectorFlag, nodesArg, progressFlag} from '../lib/cli/flags.ts'
import {Flags} from '../lib/cli/oclif.ts'
import {OllamaxError} from '../lib/errors.ts'
import type {Examination} from '../lib/jobs/doctor/run-doctor.ts'

export interface DoctorResult extends Examination {}

export default class Doctor extends BaseCommand {
  static override summary = 'find out what is wrong, on this machine and on the nodes'
  static override description =
    'Looks over SSH at what a node cannot tell of itself: its service and log, disk, memory, GPU, clock, port, orphaned runners, and whether all is still as it is wanted. Each finding has its cause and what to do next. Ends with an error if there is a finding of severity error. Piped columns: subject, severity, check, finding, cause, next.'
  static override examples = [
    '<%= config.bin %> doctor',
    '<%= config.bin %> doctor gpu-1 --fix',
    '<%= config.bin %> doctor --label tier=fast --json',
  ]
  static override args = {nodes: nodesArg()}
  static override flags = {
    label: labelSelectorFlag(),
    fix: Flags.boolean({summary: 'mend what can be mended, then look again'}),
    concurrency: Flags.integer({summary: 'nodes at the same time', default: 8, min: 1, max: 64}),
    progress: progressFlag(),
  }

  async run(): Promise<DoctorResult> {
    const {args, flags} = await this.parse(Doctor)
    const [{runDoctor}, {describeExamination}] = await Promise.all([
      import('../lib/jobs/doctor/run-doctor.ts'),
      import('../lib/cli/describe-examination.ts'),
    ])
    const {fix, concurrency} = flags
    const selection = {names: args.nodes ?? [], labels: flags.label}
    const result = await this.withProgress(flags.progress, (report) =>
      runDoctor(this.tools(flags), {selection, fix, concurrency, report}),
    )
    const text = describeExamination(result)
    if (text !== '') this.say(text)
    for (const {subject, done, text: what} of result.fixes)
      this.note(`${subject}: ${done ? 'done' : 'could not be done'}: ${what}`)
    if (result.errors === 0) return result
    const many = result.errors > 1 ? 'problems' : 'problem'
    const mendable = result.diagnoses.some((it) => it.findings.some((found) => found.fixable))
    throw new OllamaxError('DOCTOR_FINDINGS', `doctor found ${result.errors} ${many}`, {
      suggestions: mendable && !fix ? ['mend what can be mended: ollamax doctor --fix'] : [],
      details: {...result},
    })
  }
}
