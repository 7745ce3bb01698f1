import {writeSync} from 'node:fs'
import {connect} from 'node:net'

/** Set when it is bundled for a host. */
declare const FAKE_VERSION: string

/**
 * The `ollama` program of a test host: `serve` and `--version`, as the real one does them. The latter is asked for at
 * each installation and takes the real one 16 ms of CPU: so it loads nothing but a socket.
 */
async function main(args: readonly string[]): Promise<void> {
  const {host, port} = address()
  if (args[0] === 'serve')
    return await (await import('./host.ts')).serve({host, port, version: FAKE_VERSION})
  if (args[0] === '-v' || args[0] === '--version') {
    const running = await askVersion(host === '0.0.0.0' ? '127.0.0.1' : host, port)
    say(running ? `ollama version is ${running}` : NOT_RUNNING)
    if (running !== FAKE_VERSION) say(`Warning: client version is ${FAKE_VERSION}`)
    return
  }
  console.error(`Error: unknown command "${args[0] ?? ''}" for "ollama"`)
  process.exit(1)
}

const NOT_RUNNING = 'Warning: could not connect to a running Ollama instance'
const say = (line: string) => writeSync(1, `${line}\n`)

function askVersion(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, host, () => {
      socket.write(`GET /api/version HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    })
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', () => resolve(undefined))
    socket.on('end', () => resolve(/"version":"([^"]*)"/.exec(answer)?.[1]))
  })
}

/** OLLAMA_HOST: `host`, `:port`, `host:port`, with or without `http://`. */
function address(): {readonly host: string; readonly port: number} {
  const text = (process.env.OLLAMA_HOST ?? '').trim().replace(/^https?:\/\//, '')
  const match = /^(\[[^\]]*\]|[^:/]*)(?::(\d+))?/.exec(text)
  const host = (match?.[1] ?? '').replace(/^\[|\]$/g, '')
  return {host: host || '127.0.0.1', port: match?.[2] ? Number(match[2]) : 11434}
}

void main(process.argv.slice(2))
