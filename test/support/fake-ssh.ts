import {spawnSync} from 'node:child_process'
import {generateKeyPairSync} from 'node:crypto'
import {readFileSync} from 'node:fs'
import ssh2, {type AuthContext, type Connection} from 'ssh2'

/** An SSH server in this process, for what a real one cannot be made to do without root or PAM. */
export interface FakeSsh {
  readonly port: number
  /** Methods in the order tried, `none` included. */
  readonly attempts: string[]
  /** Changes the keys of every connection, as a server does after so many bytes or minutes. */
  rekey(): Promise<void>
  close(): Promise<void>
}

export interface FakeSshOptions {
  readonly password?: string
  /** keyboard-interactive: prompt -> answer. A prompt ending in `? ` is echoed. */
  readonly questions?: Readonly<Record<string, string>>
  /** Each question comes by itself once the one before it is answered, as PAM's do. */
  readonly oneByOne?: boolean
  /** Public key file: this key must come before the password. */
  readonly keyFirst?: string
}

/** A private key. Not by ssh2: about one of two hundred that it makes cannot be read by itself. */
export function freshKey(): string {
  const {privateKey} = generateKeyPairSync('ec', {namedCurve: 'prime256v1'})
  return String(privateKey.export({type: 'sec1', format: 'pem'}))
}

export async function startFakeSsh(options: FakeSshOptions): Promise<FakeSsh> {
  const attempts: string[] = []
  const hostKey = freshKey()
  const open = new Set<Connection>()
  const server = new ssh2.Server({hostKeys: [hostKey]}, (connection) => {
    open.add(connection)
    const state = {keyDone: false}
    connection.on('error', () => {})
    connection.on('close', () => open.delete(connection))
    connection.on('authentication', (context) => {
      attempts.push(context.method)
      decide(context, {options, state})
    })
    connection.on('session', (accept) => {
      accept().on('exec', (acceptExec, _, {command}) => {
        // In one go, so that all of a command's life lies in the same few packets.
        const ran = spawnSync('/bin/sh', ['-c', command], {input: ''})
        const channel = acceptExec()
        channel.write(ran.stdout)
        channel.stderr.write(ran.stderr)
        channel.exit(ran.status ?? 255)
        channel.end()
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as {port: number}).port,
    attempts,
    async rekey() {
      // Its types do not know it.
      const all = [...open] as unknown as {rekey(done: () => void): void}[]
      await Promise.all(all.map((one) => new Promise<void>((done) => one.rekey(done))))
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const connection of open) connection.end()
      }),
  }
}

function decide(
  context: AuthContext,
  {options, state}: {options: FakeSshOptions; state: {keyDone: boolean}},
): void {
  const {password, questions, keyFirst} = options
  if (context.method === 'publickey' && keyFirst !== undefined) {
    const wanted = ssh2.utils.parseKey(readFileSync(keyFirst))
    if (wanted instanceof Error || !wanted.getPublicSSH().equals(context.key.data)) {
      context.reject(['publickey'])
    } else if (!context.signature || !context.blob) context.accept()
    else if (wanted.verify(context.blob, context.signature, context.hashAlgo) === true) {
      state.keyDone = true
      context.reject(['password'], true)
    } else context.reject(['publickey'])
    return
  }
  const methods: ('publickey' | 'password' | 'keyboard-interactive')[] = []
  if (keyFirst !== undefined && !state.keyDone) methods.push('publickey')
  else if (password !== undefined) methods.push('password')
  if (questions) methods.push('keyboard-interactive')
  if (context.method === 'password' && methods.includes('password')) {
    if (context.password === password) context.accept()
    else context.reject(methods)
  } else if (context.method === 'keyboard-interactive' && questions) {
    const prompts = Object.keys(questions).map((prompt) => ({prompt, echo: prompt.endsWith('? ')}))
    const rounds = options.oneByOne ? prompts.map((prompt) => [prompt]) : [prompts]
    const given: string[] = []
    const goOn = () => {
      const round = rounds.shift()
      if (round) {
        context.prompt(round, (answers) => {
          given.push(...answers)
          goOn()
        })
      } else if (Object.values(questions).every((answer, at) => given[at] === answer)) {
        context.accept()
      } else context.reject(methods)
    }
    goOn()
  } else context.reject(methods)
}
