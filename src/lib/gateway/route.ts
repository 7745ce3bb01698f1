/** The API in whose words a client speaks, and in which it is answered. */
export type Dialect = 'ollama' | 'openai' | 'anthropic'

/** What a client asks for, by method and path. */
export type Route =
  /** Needs a model's work on one node; goes through the balancer. */
  | {
      readonly kind: 'inference'
      readonly name: string
      readonly dialect: Dialect
      readonly call: Call
    }
  /** Answered from what is known of all nodes. */
  | {readonly kind: 'list'; readonly name: string; readonly list: 'tags' | 'ps' | 'models'}
  | {readonly kind: 'model'; readonly name: string; readonly model: string}
  /** Goes to one node or several, past the queue. */
  | {readonly kind: 'manage'; readonly name: string; readonly call: Manage}
  | {readonly kind: 'blob'; readonly name: string; readonly digest: string}
  /** Models for the nodes' own pull. */
  | {readonly kind: 'registry'; readonly name: string}
  | {readonly kind: 'own'; readonly name: string; readonly page: Page}
  /** Acts with a node's own identity: never forwarded. */
  | {readonly kind: 'identity'; readonly name: string}
  | {readonly kind: 'method'; readonly name: string; readonly allow: string}
  | {readonly kind: 'unknown'; readonly name: string}

/** What an inference asks of a model. */
export type Call = 'generate' | 'chat' | 'embed' | 'completions' | 'responses' | 'messages'
export type Manage = 'show' | 'pull' | 'push' | 'create' | 'copy' | 'delete'
export type Page =
  | 'root'
  | 'version'
  | 'healthz'
  | 'readyz'
  | 'metrics'
  | 'explain'
  | 'decisions'
  | 'recording'
  | 'fleet'
  | 'live'
  | 'request'

/** Path and method; GET serves HEAD too. */
const ROUTES: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
  '/': {GET: {kind: 'own', name: '/', page: 'root'}},
  '/healthz': {GET: {kind: 'own', name: '/healthz', page: 'healthz'}},
  '/readyz': {GET: {kind: 'own', name: '/readyz', page: 'readyz'}},
  '/metrics': {GET: {kind: 'own', name: '/metrics', page: 'metrics'}},
  '/ollamax/v1/explain': {POST: {kind: 'own', name: '/ollamax/v1/explain', page: 'explain'}},
  '/ollamax/v1/decisions': {
    GET: {kind: 'own', name: '/ollamax/v1/decisions', page: 'decisions'},
  },
  '/ollamax/v1/recording': {
    GET: {kind: 'own', name: '/ollamax/v1/recording', page: 'recording'},
  },
  '/ollamax/v1/fleet': {GET: {kind: 'own', name: '/ollamax/v1/fleet', page: 'fleet'}},
  '/ollamax/v1/live': {GET: {kind: 'own', name: '/ollamax/v1/live', page: 'live'}},
  '/api/version': {GET: {kind: 'own', name: '/api/version', page: 'version'}},
  '/api/tags': {GET: {kind: 'list', name: '/api/tags', list: 'tags'}},
  '/api/ps': {GET: {kind: 'list', name: '/api/ps', list: 'ps'}},
  '/v1/models': {GET: {kind: 'list', name: '/v1/models', list: 'models'}},
  '/api/generate': {POST: inference('/api/generate', 'ollama', 'generate')},
  '/api/chat': {POST: inference('/api/chat', 'ollama', 'chat')},
  '/api/embed': {POST: inference('/api/embed', 'ollama', 'embed')},
  '/api/embeddings': {POST: inference('/api/embeddings', 'ollama', 'embed')},
  '/v1/chat/completions': {POST: inference('/v1/chat/completions', 'openai', 'chat')},
  '/v1/completions': {POST: inference('/v1/completions', 'openai', 'completions')},
  '/v1/embeddings': {POST: inference('/v1/embeddings', 'openai', 'embed')},
  '/v1/responses': {POST: inference('/v1/responses', 'openai', 'responses')},
  '/v1/messages': {POST: inference('/v1/messages', 'anthropic', 'messages')},
  '/api/show': {POST: {kind: 'manage', name: '/api/show', call: 'show'}},
  '/api/pull': {POST: {kind: 'manage', name: '/api/pull', call: 'pull'}},
  '/api/push': {POST: {kind: 'manage', name: '/api/push', call: 'push'}},
  '/api/create': {POST: {kind: 'manage', name: '/api/create', call: 'create'}},
  '/api/copy': {POST: {kind: 'manage', name: '/api/copy', call: 'copy'}},
  '/api/delete': {DELETE: {kind: 'manage', name: '/api/delete', call: 'delete'}},
  '/api/me': {POST: {kind: 'identity', name: '/api/me'}},
  '/api/signout': {POST: {kind: 'identity', name: '/api/signout'}},
  '/api/experimental/web_search': {
    POST: {kind: 'identity', name: '/api/experimental/web_search'},
  },
  '/api/experimental/web_fetch': {POST: {kind: 'identity', name: '/api/experimental/web_fetch'}},
}

/** The same to look things up in: an object would also have what every object has, like `constructor`. */
const TABLE = new Map(
  Object.entries(ROUTES).map(([path, byMethod]) => [path, new Map(Object.entries(byMethod))]),
)

const BLOB = /^\/api\/blobs\/([^/]{1,200})$/
const REQUEST = /^\/ollamax\/v1\/requests\/[\w-]{1,64}$/
const MODEL = '/v1/models/'
const USER_KEY = '/api/user/keys/'

function inference(name: string, dialect: Dialect, call: Call): Route {
  return {kind: 'inference', name, dialect, call}
}

/** Never fails: what is not in the table is `unknown`, or `method` where another method would do. */
export function routeOf(method: string, path: string): Route {
  const found = TABLE.get(path)
  if (found) return found.get(method === 'HEAD' ? 'GET' : method) ?? wrongMethod(path, found)
  const blob = BLOB.exec(path)
  if (blob?.[1] !== undefined) {
    const name = '/api/blobs/:digest'
    if (method === 'HEAD' || method === 'POST') return {kind: 'blob', name, digest: blob[1]}
    return {kind: 'method', name, allow: 'HEAD, POST'}
  }
  if (path.startsWith(MODEL) && (method === 'GET' || method === 'HEAD'))
    return {kind: 'model', name: '/v1/models/:model', model: decoded(path.slice(MODEL.length))}
  if (REQUEST.test(path)) {
    const name = '/ollamax/v1/requests/:id'
    const may = method === 'GET' || method === 'HEAD' || method === 'DELETE'
    if (may) return {kind: 'own', name, page: 'request'}
    return {kind: 'method', name, allow: 'GET, HEAD, DELETE'}
  }
  if (path === '/v2' || path.startsWith('/v2/')) {
    if (method === 'GET' || method === 'HEAD') return {kind: 'registry', name: '/v2'}
    return {kind: 'method', name: '/v2', allow: 'GET, HEAD'}
  }
  if (path.startsWith(USER_KEY)) return {kind: 'identity', name: '/api/user/keys/:key'}
  return {kind: 'unknown', name: 'unknown'}
}

function wrongMethod(name: string, found: ReadonlyMap<string, Route>): Route {
  const allow = [...found.keys()].flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : [one]))
  return {kind: 'method', name, allow: allow.join(', ')}
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Not decodable: then it is no model's name either.
    return text
  }
}

/** The dialect in which an error is told where the route has none of its own. */
export function dialectOf(route: Route, path: string): Dialect {
  if (route.kind === 'inference') return route.dialect
  if (path.startsWith('/v1/messages')) return 'anthropic'
  return path.startsWith('/v1/') ? 'openai' : 'ollama'
}
