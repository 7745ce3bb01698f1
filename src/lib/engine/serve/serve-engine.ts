import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {sameModel, shortModelName} from '../../cluster/model-name.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import {type AnswerContext, answerChat, answerEmbed, answerGenerate} from './answer.ts'
import {ps, type Served, show, tags} from './describe.ts'
import {isLocalCaller, readBody, sendJson, sendText} from './exchange.ts'
import {modelOf, parseBody} from './parse-request.ts'
import {Refusal} from './refusal.ts'
import type {Runner} from './runner.ts'

export interface ServeOptions {
  readonly served: Served
  readonly runner: Runner
  /** 0: any free one. */
  readonly port: number
  /** As /api/version shows it. */
  readonly version: string
  readonly log: (line: string) => void
}

export interface ServingEngine {
  readonly port: number
  close(): Promise<void>
}

const MAX_BODY = 16 * 1024 * 1024
const ANSWERS = {
  '/api/generate': answerGenerate,
  '/api/chat': answerChat,
  '/api/embed': answerEmbed,
} as const
const GETS = ['/', '/api/version', '/api/tags', '/api/ps']
const POSTS = [...Object.keys(ANSWERS), '/api/show']
/** Parts of Ollama's API that change the models of a node. */
const STORE = ['/api/pull', '/api/push', '/api/create', '/api/copy', '/api/delete']

/** Serves the subset of Ollama's API on 127.0.0.1. STATE_IO if the port cannot be had. */
export async function serveEngine(options: ServeOptions): Promise<ServingEngine> {
  const server = createServer((request, reply) => {
    handle(options, request, reply).catch((error: unknown) => refuse(options, reply, error))
  })
  await listen(server, options.port)
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close()
      server.closeAllConnections()
      await options.runner.close()
    },
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new OllamaxError('ENGINE_FAILED', `cannot listen on 127.0.0.1:${port}: ${error.message}`, {
          suggestions: ['leave out --port: the engine then takes a free one'],
          cause: error,
        }),
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
}

async function handle(
  options: ServeOptions,
  request: IncomingMessage,
  reply: ServerResponse,
): Promise<void> {
  if (!isLocalCaller(request)) {
    reply.writeHead(403).end()
    return
  }
  const [path = '/'] = (request.url ?? '/').split('?')
  const {method = 'GET'} = request
  if (GETS.includes(path)) {
    if (method !== 'GET' && method !== 'HEAD') return wrongMethod(reply, 'GET, HEAD')
    return get(options, path, reply)
  }
  if (STORE.includes(path))
    throw new Refusal(501, 'the embedded node has one model and takes no others; add a real node')
  if (!POSTS.includes(path)) return sendText(reply, 404, '404 page not found')
  if (method !== 'POST') return wrongMethod(reply, 'POST')
  await post(options, path, {request, reply})
}

function wrongMethod(reply: ServerResponse, allow: string): void {
  sendText(reply, 405, '405 method not allowed', {allow})
}

function get({served, runner, version}: ServeOptions, path: string, reply: ServerResponse): void {
  if (path === '/') sendText(reply, 200, 'Ollama is running')
  else if (path === '/api/version') sendJson(reply, 200, {version})
  else sendJson(reply, 200, path === '/api/tags' ? tags(served) : ps(served, runner.loaded))
}

async function post(
  {served, runner}: ServeOptions,
  path: string,
  {request, reply}: {request: IncomingMessage; reply: ServerResponse},
): Promise<void> {
  const gone = new AbortController()
  // 'close' also comes after a whole reply; aborting then does nothing any more.
  reply.once('close', () => gone.abort(new Refusal(499, 'the client is gone')))
  const body = parseBody(await readBody(request, MAX_BODY))
  if (path === '/api/show') {
    const name = modelOf(body)
    if (!sameModel(name, served.model.name))
      throw new Refusal(404, `model '${shortModelName(name)}' not found`)
    return sendJson(reply, 200, show(served))
  }
  const context: AnswerContext = {served, runner, reply, signal: gone.signal}
  await ANSWERS[path as keyof typeof ANSWERS](context, body)
}

/** An error before the first byte is a status; after it, the stream's last line. */
function refuse({log}: ServeOptions, reply: ServerResponse, error: unknown): void {
  const message = messageOf(error)
  const status = error instanceof Refusal ? error.status : 500
  if (status >= 500 && status !== 503) log(`${status} ${message}`)
  if (reply.destroyed || reply.writableEnded) return
  if (!reply.headersSent) {
    // A body that is too large is not read to its end.
    if (status === 413) reply.setHeader('connection', 'close')
    sendJson(reply, status, {error: message})
  } else reply.end(`${JSON.stringify({error: message})}\n`)
}
