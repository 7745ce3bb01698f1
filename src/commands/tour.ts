import {basename} from 'node:path'
import {Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {SHELLS} from '../lib/cli/complete/scripts.ts'
import {harmless} from '../lib/cli/paint.ts'
import {OllamaxError} from '../lib/errors.ts'
import {
  type TakenStep,
  TOUR_STARTS,
  TOUR_STEPS,
  type TourStep,
  tour,
} from '../lib/jobs/tour/tour.ts'

export interface TourResult {
  readonly steps: readonly TakenStep[]
}

export default class Tour extends BaseCommand {
  static override summary = 'lead through the first steps, with the commands that they take'
  static override description =
    `Comes to a node (this machine, or one over SSH), asks it something, shows which node would answer, tries the gateway, and has the shell complete. It runs real commands and prints each one first.
Leave it with Ctrl-C at any point: what was begun is ended in order, and it says how to go on from there. Every question has a flag; without a terminal all of them are needed.`
  static override examples = [
    '<%= config.bin %> tour',
    '<%= config.bin %> tour --from serve',
    '<%= config.bin %> tour --start ssh --target ubuntu@10.0.0.7',
    '<%= config.bin %> tour --start here --prompt "Hello!" --explain --serve --no-completion --yes',
  ]
  static override flags = {
    from: Flags.option({
      options: TOUR_STEPS,
      default: 'start' as const,
      summary: 'step to begin with',
    })(),
    start: Flags.option({
      options: TOUR_STARTS,
      summary: 'where models run; keep: on the nodes that the cluster has',
    })(),
    target: Flags.string({
      summary: 'machine to add, for --start ssh: user@host or an alias of ssh_config',
      helpValue: 'HOST',
    }),
    'accept-host-key': Flags.boolean({summary: 'take the key of an unknown host without asking'}),
    model: Flags.string({summary: 'model to ask', helpValue: 'NAME'}),
    prompt: Flags.string({summary: 'what to ask it', helpValue: 'TEXT'}),
    explain: Flags.boolean({summary: 'show which node would answer, and why', allowNo: true}),
    serve: Flags.boolean({summary: 'try the gateway for other programs', allowNo: true}),
    completion: Flags.boolean({summary: 'have the shell complete', allowNo: true}),
    yes: Flags.boolean({
      char: 'y',
      summary: 'let commands pull a model or change a service unasked',
    }),
  }

  async run(): Promise<TourResult> {
    const {flags} = await this.parse(Tour)
    const [{runOwn}, {tryGateway}] = await Promise.all([
      import('../lib/jobs/tour/run-own.ts'),
      import('../lib/jobs/tour/try-gateway.ts'),
    ])
    const tools = this.tools(flags)
    const program = process.argv[1] ?? ''
    const quiet = this.jsonEnabled()
    const out = quiet ? process.stderr : process.stdout
    const say = (text: string) => void out.write(`${harmless(text)}\n`)
    const more = flags.cluster === undefined ? [] : ['--cluster', flags.cluster]
    let at: TourStep = flags.from
    try {
      const steps = await tour(tools, {
        answers: flags,
        ...{from: flags.from, more, yes: flags.yes ?? false, say},
        acceptHostKey: flags['accept-host-key'] ?? false,
        shell: SHELLS.find((shell) => shell === basename(process.env.SHELL ?? '')),
        run: (words) => runOwn(tools, words, {program, quiet}),
        tryGateway: async ({model, prompt}) => {
          await tryGateway(tools, {
            ...{program, words: more, model, prompt},
            listening: (url) =>
              say(`$ OLLAMA_HOST=${url.replace('http://', '')} ollama run ${model} "${prompt}"`),
            onText: (text) => void out.write(harmless(text)),
          })
          say('\n\nIt is ended again. To keep one: ollamax serve, or ollamax serve --install')
        },
        entered: (step) => {
          at = step
          say(`\n${TOUR_STEPS.indexOf(step) + 1} of ${TOUR_STEPS.length}: ${TITLES[step]}`)
        },
      })
      say('\nThat was it. What else there is: ollamax --help')
      return {steps}
    } catch (error) {
      const where = at === 'start' ? '' : ` --from ${at}`
      if (!OllamaxError.is(error, 'NEEDS_TTY'))
        this.note(`\nGo on from here with: ollamax tour${where}`)
      throw error
    }
  }
}

const TITLES: Readonly<Record<TourStep, string>> = {
  start: 'a node',
  prompt: 'a prompt',
  explain: 'who answers',
  serve: 'other programs',
  completion: 'the Tab key',
}
