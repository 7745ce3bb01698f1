import {Args} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {batchFlags} from '../lib/cli/batch-flags.ts'
import {progressFlag} from '../lib/cli/flags.ts'
import {parseDuration} from '../lib/cluster/size.ts'
import {OllamaxError} from '../lib/errors.ts'
import type {Batch as BatchRun} from '../lib/jobs/batch/run-batch.ts'

export interface BatchResult extends BatchRun {}

export default class Batch extends BaseCommand {
  static override summary = 'ask many things at once: a request per line, over the whole fleet'
  static override description =
    `A line is a JSON text (the prompt), an object with "prompt", "messages" or "input" (vectors) and whatever else Ollama takes beside it, or OpenAI's batch form with "custom_id", "method", "url" and "body". Each answer is a line of the output with the number of its input line; it may stand anywhere unless --keep-order is given.

The same command goes on where an earlier one ended, however it ended: lines that the output has are not asked again. Failed lines stand there with an "error" and are asked again by --retry-failed only. The first Ctrl-C sends nothing new and lets the running lines end, the second one ends at once.

Through the cluster's gateway, where one runs, with low priority; otherwise this process spreads the lines itself.`
  static override examples = [
    '<%= config.bin %> batch prompts.jsonl -o answers.jsonl --model llama3.2',
    'jq -R . questions.txt | <%= config.bin %> batch --model llama3.2 | jq -r .response',
    '<%= config.bin %> batch openai.jsonl -o answers.jsonl --model qwen3 --keep-order --retries 5',
    '<%= config.bin %> batch prompts.jsonl -o answers.jsonl --model llama3.2 --retry-failed',
  ]
  static override args = {
    input: Args.string({
      default: '-',
      ignoreStdin: true,
      description: 'file of JSON lines; `-`: standard input',
    }),
  }
  static override flags = {
    ...batchFlags(),
    progress: progressFlag(),
  }

  async run(): Promise<BatchResult> {
    const {args, flags} = await this.parse(Batch)
    const {output} = flags
    const input = args.input ?? '-'
    const toFile = output !== '-'
    if (this.jsonEnabled() && !toFile)
      throw new OllamaxError('BAD_INPUT', '--json prints the summary where the answers would go', {
        suggestions: ['name a file for them: -o OUT.jsonl', 'or leave --json out'],
      })
    const [{runBatch}, {describeBatch, linesFailed, parseConcurrency}] = await Promise.all([
      import('../lib/jobs/batch/run-batch.ts'),
      import('../lib/cli/describe-batch.ts'),
    ])
    const tools = this.tools(flags)
    const batch = await this.withProgress(flags.progress, (report) =>
      runBatch(tools, {
        input: input === '-' ? process.stdin : input,
        output: toFile ? output : process.stdout,
        model: flags.model,
        concurrency: parseConcurrency(flags.concurrency),
        keepOrder: flags['keep-order'],
        retries: flags.retries,
        retryFailed: flags['retry-failed'],
        skipBroken: flags['skip-broken'],
        timeoutMs: parseDuration(flags['line-timeout']),
        patienceMs: parseDuration(flags.patience),
        drainMs: parseDuration(flags['drain-timeout']),
        openOwn: async (cluster) => {
          const {openPrivateGateway} = await import('../lib/server/private-gateway.ts')
          return openPrivateGateway(tools, cluster, (stack) => this.note(stack))
        },
        report,
      }),
    )
    const summary = await describeBatch(batch)
    if (toFile) this.say(summary)
    else this.note(summary)
    const failed = linesFailed(batch, output)
    if (failed) throw failed
    return batch
  }
}
