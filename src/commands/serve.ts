import {readFileSync} from 'node:fs'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {colorsOn, paint} from '../lib/cli/paint.ts'
import {
  registryDirectory,
  registrySettings,
  type ServeFlags,
  type ServiceFlags,
  serveFlags,
  serveWords,
  serviceFlags,
} from '../lib/cli/serve-flags.ts'
import {parseDuration} from '../lib/cluster/size.ts'
import {messageOf, OllamaxError} from '../lib/errors.ts'
import type {ServiceResult} from '../lib/server/service/service.ts'

export type ServeResult =
  | {
      /** Where it listened. */
      readonly url: string
    }
  | ServiceResult

export default class Serve extends BaseCommand {
  static override summary = 'be one Ollama, OpenAI and Anthropic address in front of all nodes'
  static override description =
    'Stays in the foreground until Ctrl-C or SIGTERM; then it takes nothing new and lets the running requests end. With --install it becomes a service with these very flags; secrets that the cluster file takes from the environment go into /etc/ollamax/serve.env, or ~/.config/ollamax/serve.env of an account.'
  static override examples = [
    '<%= config.bin %> serve',
    'OLLAMA_HOST=127.0.0.1:11435 ollama run llama3.2 "why is the sky blue?"',
    '<%= config.bin %> serve --listen 0.0.0.0:11435 --tls-cert cert.pem --tls-key key.pem',
    '<%= config.bin %> serve --workers 4',
    '<%= config.bin %> serve --reconcile',
    '<%= config.bin %> serve --registry --registry-cache /var/cache/ollamax',
    '<%= config.bin %> serve --install --dry-run',
    'sudo <%= config.bin %> serve --install --listen 0.0.0.0:11435',
  ]
  static override flags = {
    ...serveFlags(),
    ...serviceFlags(),
  }

  async run(): Promise<ServeResult> {
    const {flags} = await this.parse(Serve)
    if (flags.install || flags.uninstall) return this.#service(flags)
    const {parseListen} = await import('../lib/server/listen-address.ts')
    const {serve} = await import('../lib/server/serve.ts')
    const cert = flags['tls-cert']
    const key = flags['tls-key']
    const {stderr} = process
    const colored = colorsOn(stderr, process.env)
    let url = ''
    await serve(this.tools({...flags, reuse: false, asks: flags.workers === 1}), {
      listen: parseListen(flags.listen),
      config: flags.config,
      ...(cert && key ? {tls: {cert: pem(cert), key: pem(key)}} : {}),
      origins: flags.origin,
      allowCloud: flags['allow-cloud'],
      workers: flags.workers,
      openToNetwork: flags['open-to-network'],
      drainMs: parseDuration(flags['drain-timeout']),
      ...(flags.reconcile ? {reconcile: reconcileOf(flags)} : {}),
      ...registrySettings(flags),
      signal: this.signal,
      log: {
        stream: stderr,
        level: flags['log-level'],
        ...(stderr.isTTY ? {pretty: (tone, text) => paint(tone, text, colored)} : {}),
      },
      version: this.config.version,
      listening: (where) => {
        url = where
      },
    })
    return {url}
  }

  async #service(
    flags: ServeFlags & ServiceFlags & {readonly cluster?: string | undefined},
  ): Promise<ServiceResult> {
    const {installService, uninstallService} = await import('../lib/server/service/service.ts')
    const {parseListen} = await import('../lib/server/listen-address.ts')
    const {describeService} = await import('../lib/cli/describe-service.ts')
    // A service that cannot start is better not made.
    registrySettings(flags)
    const work = flags.uninstall ? uninstallService : installService
    const result = await work(this.tools(flags), {
      ...{user: flags.user, dryRun: flags['dry-run'] ?? false, yes: flags.yes ?? false},
      ...{cluster: flags.cluster, config: flags.config},
      openToNetwork: flags['open-to-network'] ?? false,
      listen: parseListen(flags.listen),
      words: serveWords(flags),
      directory: registryDirectory(flags),
      tls: flags['tls-cert'] !== undefined,
      drainMs: parseDuration(flags['drain-timeout']),
      say: (line) => this.note(line),
    })
    if (!this.jsonEnabled()) this.say(describeService(result))
    for (const warning of result.warnings) this.note(`warning: ${warning}`)
    return result
  }
}

/** At least a second, so that nodes have time for something else. */
const reconcileOf = (flags: ServeFlags) => ({
  everyMs: Math.max(1000, parseDuration(flags['reconcile-every'])),
  graceMs: parseDuration(flags['reconcile-grace']),
})

function pem(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new OllamaxError('BAD_INPUT', `${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
