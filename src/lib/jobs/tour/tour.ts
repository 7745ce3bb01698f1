import {OllamaxError} from '../../errors.ts'
import {type ListModelsTools, listModels} from '../list-models.ts'
import {makesText, SMALLEST} from '../quickstart.ts'
import type {Tools} from '../tools.ts'

/** In their order; `--from` begins at any of them. */
export const TOUR_STEPS = ['start', 'prompt', 'explain', 'serve', 'completion'] as const
export type TourStep = (typeof TOUR_STEPS)[number]

/** Ways to come to a node; `keep`: those that the cluster has. */
export const TOUR_STARTS = ['here', 'embedded', 'ssh', 'keep'] as const
export type TourStart = (typeof TOUR_STARTS)[number]

/** What would be asked; what is absent is. */
export interface TourAnswers {
  readonly start?: TourStart | undefined
  /** For `ssh`. */
  readonly target?: string | undefined
  readonly model?: string | undefined
  readonly prompt?: string | undefined
  readonly explain?: boolean | undefined
  readonly serve?: boolean | undefined
  readonly completion?: boolean | undefined
}

export interface TourOptions {
  readonly answers: TourAnswers
  readonly from: TourStep
  /** Put behind each command: --cluster and its kind. */
  readonly more: readonly string[]
  /** Put behind those that would ask whether they may. */
  readonly yes: boolean
  readonly acceptHostKey: boolean
  /** The user's shell; undefined: none that can be completed. */
  readonly shell: string | undefined
  /** Runs one of our own commands; throws where it fails. */
  readonly run: (words: readonly string[]) => Promise<void>
  /** Asks through a gateway that lives as long as that takes. */
  readonly tryGateway: (request: {readonly model: string; readonly prompt: string}) => Promise<void>
  /** Told before anything of a step happens. */
  readonly entered: (step: TourStep) => void
  readonly say: (text: string) => void
}

/** What became of a step. */
export interface TakenStep {
  readonly step: TourStep
  readonly outcome: 'done' | 'skipped'
  /** What was run, as it would be typed. */
  readonly commands: readonly string[]
}

type TourTools = ListModelsTools & Pick<Tools, 'ask'>

export const TOUR_PROMPT = 'Why is the sky blue?'

/**
 * Leads through the first steps: each asks what its flag does not say, runs real commands and says which. NEEDS_TTY
 * with every flag that is missing, before anything happens, where nobody can be asked.
 */
export async function tour(tools: TourTools, options: TourOptions): Promise<TakenStep[]> {
  const steps = TOUR_STEPS.slice(TOUR_STEPS.indexOf(options.from))
  refuseUnasked(tools, options, steps)
  const taken: TakenStep[] = []
  const walk = new Walk(tools, options)
  for (const step of steps) {
    options.entered(step)
    walk.commands.length = 0
    const outcome = await walk[step]()
    taken.push({step, outcome, commands: [...walk.commands]})
  }
  return taken
}

function refuseUnasked({ask}: TourTools, options: TourOptions, steps: readonly TourStep[]): void {
  if (ask.interactive) return
  const {answers, shell} = options
  const missing = steps.flatMap((step) => {
    if (step === 'start' && answers.start === undefined)
      return [`--start ${TOUR_STARTS.join('|')} (and --target for ssh)`]
    if (step === 'start' && answers.start === 'ssh' && answers.target === undefined)
      return ['--target user@host']
    if (step === 'completion' && shell === undefined) return []
    if (step === 'start' || answers[step] !== undefined) return []
    return [step === 'prompt' ? '--prompt TEXT' : `--${step} or --no-${step}`]
  })
  if (missing.length === 0) return
  throw new OllamaxError(
    'NEEDS_TTY',
    'there is no terminal to ask at, and the tour has questions',
    {
      suggestions: missing.map((flag) => `pass ${flag}`),
    },
  )
}

/** One walk through the steps; what one step finds out the later ones need. */
class Walk {
  readonly commands: string[] = []
  #model: string | undefined
  readonly #tools: TourTools
  readonly #options: TourOptions

  constructor(tools: TourTools, options: TourOptions) {
    this.#tools = tools
    this.#options = options
    this.#prompt = options.answers.prompt ?? TOUR_PROMPT
  }

  #prompt: string

  async #run(...words: readonly string[]): Promise<void> {
    const all = [...words, ...this.#options.more]
    const typed = `ollamax ${all.map(asTyped).join(' ')}`
    this.commands.push(typed)
    this.#options.say(`\n$ ${typed}`)
    await this.#options.run(all)
  }

  async start(): Promise<'done' | 'skipped'> {
    const {answers, yes, acceptHostKey} = this.#options
    const {nodes, name} = await this.#tools.cluster()
    const start = answers.start ?? (await this.#askStart(name, nodes.length))
    if (start === 'keep') {
      if (nodes.length > 0) return 'skipped'
      throw new OllamaxError('NODE_NOT_FOUND', `the cluster ${name} has no node to go on with`, {
        suggestions: ['ollamax tour --start here', 'ollamax tour --start ssh --target user@host'],
      })
    }
    if (start === 'ssh') {
      const question = 'Which machine? user@host, or an alias of your ssh_config:'
      const target = answers.target ?? (await this.#tools.ask.text(question, 'pass --target'))
      await this.#run(
        ...['node', 'add', target.trim()],
        ...(acceptHostKey ? ['--accept-host-key'] : []),
        ...(yes ? ['--yes'] : []),
      )
      return 'done'
    }
    await this.#run(
      'quickstart',
      ...(start === 'embedded' ? ['--embedded'] : []),
      ...(answers.model === undefined ? [] : ['--model', answers.model]),
      ...(yes ? ['--yes'] : []),
    )
    return 'done'
  }

  async #askStart(cluster: string, nodes: number): Promise<TourStart> {
    const kept = `go on with the ${nodes === 1 ? 'node' : `${nodes} nodes`} of the cluster ${cluster}`
    const choices = [
      ...(nodes > 0 ? [{value: 'keep', name: kept}] : []),
      {value: 'here', name: 'this machine: its Ollama, or a small engine of ours where none runs'},
      {value: 'ssh', name: 'another machine, over SSH: Ollama is installed there if it is missing'},
      {value: 'embedded', name: 'the small engine of ours, on this machine, in any case'},
    ]
    const pass = `pass --start ${TOUR_STARTS.join('|')}`
    return (await this.#tools.ask.choose('Where should models run?', choices, pass)) as TourStart
  }

  async prompt(): Promise<'done'> {
    const {answers, yes, say} = this.#options
    const model = await this.#modelToAsk()
    if (answers.prompt === undefined) {
      const question = `What do you want to ask ${model}? (Enter: ${TOUR_PROMPT})`
      this.#prompt = (await this.#tools.ask.text(question, 'pass --prompt')).trim() || TOUR_PROMPT
    }
    await this.#run('run', ...(yes ? ['--pull'] : []), model, this.#prompt)
    say(`\nTo talk with it: ollamax chat ${model}`)
    return 'done'
  }

  async explain(): Promise<'done' | 'skipped'> {
    const question = 'See how the nodes are, and which one would answer?'
    if (!(await this.#wanted('explain', question))) return 'skipped'
    await this.#run('status')
    await this.#run('route', 'explain', await this.#modelToAsk(), this.#prompt)
    return 'done'
  }

  async serve(): Promise<'done' | 'skipped'> {
    const question = 'Try one address for other programs, in front of all nodes?'
    if (!(await this.#wanted('serve', question))) return 'skipped'
    const model = await this.#modelToAsk()
    const typed = ['ollamax serve --listen 127.0.0.1:0', ...this.#options.more].join(' ')
    this.commands.push(typed)
    this.#options.say(`\n$ ${typed}`)
    await this.#options.tryGateway({model, prompt: this.#prompt})
    return 'done'
  }

  async completion(): Promise<'done' | 'skipped'> {
    const {shell} = this.#options
    if (shell === undefined) {
      if (this.#options.answers.completion)
        this.#options.say('\nYour shell is none that can be completed: bash, zsh and fish can.')
      return 'skipped'
    }
    const question = `Have ${shell} complete commands, nodes and models at the Tab key?`
    if (!(await this.#wanted('completion', question))) return 'skipped'
    await this.#run('completion', shell, '--install')
    return 'done'
  }

  async #wanted(step: 'explain' | 'serve' | 'completion', question: string): Promise<boolean> {
    const said = this.#options.answers[step]
    if (said !== undefined) return said
    const choices = [
      {value: 'yes', name: 'yes'},
      {value: 'no', name: 'no, go on'},
    ]
    return (await this.#tools.ask.choose(question, choices, `pass --${step}`)) === 'yes'
  }

  /** The one that was named, the only one, or the one that is chosen; pulled where no node has any. */
  async #modelToAsk(): Promise<string> {
    this.#model ??= this.#options.answers.model ?? (await this.#chooseModel())
    return this.#model
  }

  async #chooseModel(): Promise<string> {
    const {ask} = this.#tools
    const {models} = await listModels(this.#tools, {names: [], labels: []})
    const [smallest, ...others] = models
      .filter(makesText)
      .toSorted((a, b) => sizeOf(a) - sizeOf(b))
      .map(({name}) => name)
    if (smallest === undefined) {
      const question = `No node has a model for text. Pull ${SMALLEST.name} (${SMALLEST.size})?`
      if (!this.#options.yes && !(await ask.confirm(question, 'pass --model, or --yes to pull it')))
        throw new OllamaxError('MODEL_NOT_FOUND', 'no node has a model for text', {
          suggestions: [`ollamax model pull ${SMALLEST.name}`, 'then: ollamax tour --from prompt'],
        })
      await this.#run('model', 'pull', SMALLEST.name)
      return SMALLEST.name
    }
    if (others.length === 0 || !ask.interactive) return smallest
    const choices = [smallest, ...others].map((name) => ({value: name, name}))
    return ask.choose('Which model?', choices, 'pass --model')
  }
}

const sizeOf = (model: {readonly versions: readonly {readonly sizeBytes: number}[]}) =>
  model.versions[0]?.sizeBytes ?? 0

/** As it would have to be typed: in quotes where it holds more than a plain word. */
const asTyped = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
