import {hash, randomBytes, timingSafeEqual} from 'node:crypto'
import {hostname} from 'node:os'
import type {Cluster} from '../cluster/node.ts'
import {PrefixHasher} from '../gateway/body/prefix.ts'
import {Decisions} from '../gateway/decisions.ts'
import {DEFAULT_LIMITS, openGateway} from '../gateway/gateway.ts'
import {type Guard, openGuard} from '../gateway/guard.ts'
import {hubOver} from '../gateway/hub-over.ts'
import {insightOf} from '../gateway/insight.ts'
import {BlobPlaces} from '../gateway/manage.ts'
import type {Tools} from '../jobs/tools.ts'
import type {NodeEndpoint} from '../ollama/endpoint.ts'
import {type RunningFleet, startFleet} from './start-fleet.ts'

/** A gateway that one command has for itself, where none runs for all. */
export interface PrivateGateway {
  /** On loopback, and with a key that nobody else knows. */
  readonly endpoint: NodeEndpoint
  /** Ends what runs; what was learned of the nodes is kept. */
  close(): Promise<void>
}

/** How long the first look at the nodes may delay the start. */
const FIRST_LOOK_MS = 3000
const KEY = 'x-api-key'

/** Looks at the nodes of the cluster and balances between them, as `serve` does. `bug`: is told the stacks of ours. */
export async function openPrivateGateway(
  tools: Pick<Tools, 'endpoint' | 'paths' | 'signal'>,
  cluster: Cluster,
  bug: (stack: string) => void,
): Promise<PrivateGateway> {
  const key = randomBytes(24).toString('hex')
  const hub = hubOver(() => running.fleet, {failed: () => {}, ended: () => {}})
  const running: RunningFleet = startFleet(tools, cluster, {
    sink: hub,
    use: (dispatcher) => hub.use(dispatcher),
    tell: (event) => hub.tell((_door, nowMs) => event(nowMs)),
  })
  try {
    await running.fleet.looked(AbortSignal.any([tools.signal, AbortSignal.timeout(FIRST_LOOK_MS)]))
    const gateway = await openGateway({
      ...{host: '127.0.0.1', port: 0, limits: DEFAULT_LIMITS},
      ...{hub, fleet: running.fleet, blobs: new BlobPlaces(), hasher: new PrefixHasher()},
      guard: onlyWith(key),
      aliases: () => running.aliases(),
      insight: insightOf(() => running.dispatcher, new Decisions()),
      origin: {origins: [], loopback: true, hostname: hostname()},
      allowCloud: false,
      metrics: async () => ({type: 'text/plain', text: ''}),
      ended: () => {},
      bug: (error) => bug(error instanceof Error ? `${error.stack}` : String(error)),
    })
    return {
      endpoint: {kind: 'url', url: gateway.url, headers: {[KEY]: key}},
      async close() {
        await gateway.close()
        hub.close()
        await running.close()
      },
    }
  } catch (error) {
    hub.close()
    await running.close()
    throw error
  }
}

/** Other programs on this machine have no business here. */
function onlyWith(key: string): Guard {
  const digest = hash('sha256', key, 'buffer')
  return (request) =>
    timingSafeEqual(hash('sha256', request.header(KEY) ?? '', 'buffer'), digest)
      ? openGuard(request)
      : {
          kind: 'refused',
          target: '',
          problem: {status: 401, message: 'this gateway belongs to one command'},
        }
}
