import {Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {progressFlag} from '../lib/cli/flags.ts'
import {modelFlags} from '../lib/cli/model-flags.ts'
import {harmless} from '../lib/cli/paint.ts'

export interface QuickstartResult {
  readonly cluster: string
  readonly node: string
  readonly kind: string
  readonly url: string
  readonly model: string
  /** False: the cluster had this node already. */
  readonly added: boolean
  readonly prompt: string
  readonly text: string
  readonly tokens: number | null
  readonly tokensPerSecond: number | null
  readonly ms: number
  /** Commands to go on with. */
  readonly next: readonly string[]
}

export default class Quickstart extends BaseCommand {
  static override summary = 'make this machine answer a first prompt'
  static override description =
    `Uses the Ollama that runs on this machine; where none does, it fetches and starts the embedded node: a small engine of ollamax itself and, unless another is given, the model SmolLM2-135M, which is there to try the tool, not to work with.
It ends only after a real model has answered, and says which node did. The node is kept in the cluster. Running it again changes nothing and answers again.`
  static override examples = [
    '<%= config.bin %> quickstart',
    '<%= config.bin %> quickstart --gguf ./model.gguf --prompt "Hello!"',
  ]
  static override flags = {
    ...modelFlags(),
    model: Flags.string({summary: 'model to use, as Ollama names it', helpValue: 'NAME'}),
    prompt: Flags.string({
      summary: 'what to ask',
      helpValue: 'TEXT',
      default: 'What is the capital of France?',
    }),
    embedded: Flags.boolean({
      summary: 'use the embedded node even if an Ollama runs here; --no-embedded: never',
      allowNo: true,
    }),
    yes: Flags.boolean({char: 'y', summary: 'pull a model into Ollama without asking'}),
    progress: progressFlag(),
  }

  async run(): Promise<QuickstartResult> {
    const {flags} = await this.parse(Quickstart)
    const {readyNode, firstAnswer} = await import('../lib/jobs/quickstart.ts')
    const tools = this.tools(flags)
    const {gguf, url, sha256, model: name, prompt, yes, embedded} = flags
    const only = embedded === undefined ? undefined : embedded ? 'embedded' : 'local'
    const wish = {gguf, url, sha256, name}
    const ready = await this.withProgress(flags.progress, (report) =>
      readyNode(tools, {wish, prompt, yes, only}, report),
    )
    if (ready.toy)
      this.note(`${ready.model} is small and weak: it is there to try the tool, not to work with.`)
    this.say(`> ${prompt}`)
    const onText = (text: string) => {
      if (!this.jsonEnabled()) process.stdout.write(process.stdout.isTTY ? harmless(text) : text)
    }
    const answered = await firstAnswer(tools, ready, {prompt, onText})
    const next = [
      `ollamax run ${ready.model} "Tell me a story"`,
      'ollamax node list',
      'ollamax node add user@host',
      ...(ready.node.kind === 'embedded' ? ['ollamax engine stop'] : []),
    ]
    const {model} = ready
    const {kind} = ready.node
    const result = {
      ...answered,
      cluster: tools.clusterName(),
      kind,
      url: ready.url,
      model,
      prompt,
      next,
    }
    this.say(
      `\n\n${describe(result)}\n\nGo on with:\n${next.map((line) => `  ${line}`).join('\n')}`,
    )
    return result
  }
}

function describe({node, model, url, tokens, tokensPerSecond, added, cluster}: QuickstartResult) {
  const count = tokens === null ? 'an unknown number of' : String(tokens)
  const rate = tokensPerSecond === null ? '' : `, ${tokensPerSecond.toFixed(1)} tokens/s`
  const kept = added ? `added to the cluster ${cluster}` : `in the cluster ${cluster} already`
  return `node ${node} (${model} at ${url}) made these ${count} tokens${rate}; it is ${kept}`
}
