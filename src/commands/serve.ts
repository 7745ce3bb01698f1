import {readFileSync} from 'node:fs'
import {Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {colorsOn, paint} from '../lib/cli/paint.ts'
import {parseDuration} from '../lib/cluster/size.ts'
import {messageOf, OllamaxError} from '../lib/errors.ts'

export interface ServeResult {
  /** Where it listened. */
  readonly url: string
}

export default class Serve extends BaseCommand {
  static override summary = 'be one Ollama, OpenAI and Anthropic address in front of all nodes'
  static override description =
    'Stays in the foreground until Ctrl-C or SIGTERM; then it takes nothing new and lets the running requests end.'
  static override examples = [
    '<%= config.bin %> serve',
    'OLLAMA_HOST=127.0.0.1:11435 ollama run llama3.2 "why is the sky blue?"',
    '<%= config.bin %> serve --listen 0.0.0.0:11435 --tls-cert cert.pem --tls-key key.pem',
  ]
  static override flags = {
    listen: Flags.string({
      summary: 'address to listen on',
      default: '127.0.0.1:11435',
      helpValue: 'HOST:PORT',
      env: 'OLLAMAX_LISTEN',
    }),
    config: Flags.string({
      summary:
        "cluster file to serve instead of --cluster's; its keys are in NAME.keys.json beside it",
      helpValue: 'FILE',
    }),
    'tls-cert': Flags.string({
      summary: 'PEM file with the certificate (chain)',
      helpValue: 'FILE',
      dependsOn: ['tls-key'],
    }),
    'tls-key': Flags.string({
      summary: 'PEM file with its private key',
      helpValue: 'FILE',
      dependsOn: ['tls-cert'],
    }),
    'allow-cloud': Flags.boolean({
      summary: "let models through that a node would pass on to Ollama's cloud",
    }),
    'open-to-network': Flags.boolean({
      summary: 'listen beyond this machine although nobody needs a key',
    }),
    origin: Flags.string({
      multiple: true,
      default: [],
      summary: 'web page elsewhere that may use it, like https://chat.example.com',
      helpValue: 'ORIGIN',
    }),
    'log-level': Flags.option({
      options: ['debug', 'info', 'warn', 'error'] as const,
      default: 'info',
      summary: 'least important lines of the log, which goes to stderr; requests are at info',
    })(),
    'drain-timeout': Flags.string({
      summary: 'for running requests to end at shutdown',
      default: '30s',
      helpValue: '30s',
    }),
  }

  async run(): Promise<ServeResult> {
    const {flags} = await this.parse(Serve)
    const {parseListen} = await import('../lib/server/listen-address.ts')
    const {serve} = await import('../lib/server/serve.ts')
    const cert = flags['tls-cert']
    const key = flags['tls-key']
    const {stderr} = process
    const colored = colorsOn(stderr, process.env)
    let url = ''
    await serve(this.tools({...flags, reuse: false}), {
      listen: parseListen(flags.listen),
      config: flags.config,
      ...(cert && key ? {tls: {cert: pem(cert), key: pem(key)}} : {}),
      origins: flags.origin,
      allowCloud: flags['allow-cloud'],
      openToNetwork: flags['open-to-network'],
      drainMs: parseDuration(flags['drain-timeout']),
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
}

function pem(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new OllamaxError('BAD_INPUT', `${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
