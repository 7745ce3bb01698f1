import {type CliOptions, type RunningCli, startCli} from './run-cli.ts'
import {waitFor} from './wait-for.ts'

/** `ollamax serve` as a process of its own. */
export interface RunningServe extends RunningCli {
  readonly url: string
  /** The lines of its log so far; throws for a line that is not JSON. */
  log(): readonly Readonly<Record<string, unknown>>[]
  /** The first line whose `msg` begins so, once there is one. */
  logged(message: string): Promise<Readonly<Record<string, unknown>>>
}

/** Starts it on a free port of loopback unless `args` say otherwise; returns when it listens. */
export async function startServe(
  args: readonly string[],
  options: CliOptions,
): Promise<RunningServe> {
  const listen = args.some((word) => word.startsWith('--listen'))
  const cli = startCli(['serve', ...(listen ? [] : ['--listen', '127.0.0.1:0']), ...args], options)
  const log = () =>
    cli
      .stderr()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
  const logged = (message: string) =>
    waitFor(
      `"${message}" in the log`,
      () => log().find(({msg}) => String(msg).startsWith(message)),
      {timeoutMs: 30_000},
    )
  const ended = cli.ended.then(({code, stderr}) => {
    throw new Error(`serve has ended with ${code}: ${stderr}`)
  })
  const {url} = await Promise.race([logged('listening'), ended])
  ended.catch(() => {})
  return {...cli, url: String(url), log, logged}
}
