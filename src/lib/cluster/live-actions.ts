import type {LiveFrame, LiveLink, LiveRequest} from './live.ts'
import type {Reporter} from './report.ts'
import type {RoutePlan} from './routing.ts'

/** Who hears what a watch of the fleet sees; neither may throw. */
export interface LiveHooks {
  readonly onFrame: (frame: LiveFrame) => void
  readonly onLink: (link: LiveLink) => void
  /** Ends the watch. */
  readonly signal: AbortSignal
}

/** Watches the fleet until the signal aborts; resolves then, and rejects for nothing else that the fleet may do. */
export type WatchFleet = (hooks: LiveHooks) => Promise<void>

/** A request and the decision behind it. */
export interface RequestDecision {
  readonly request: LiveRequest
  /** What was expected of each node; absent where nobody had to choose, or it is no longer known. */
  readonly plan?: RoutePlan
  /** `then`: as it stood when the request was sent; `now`: reckoned anew for the same request, as things stand now. */
  readonly planIs?: 'then' | 'now'
}

/**
 * What a person may do to the fleet while watching it. Each rejects with an OllamaxError; what asks first is the
 * caller's business.
 */
export interface FleetActions {
  /** `changed` false: it was so already. NODE_NOT_FOUND, HOOK_FAILED. */
  drain(node: string): Promise<{readonly changed: boolean}>
  undrain(node: string): Promise<{readonly changed: boolean}>
  /**
   * Resolves when Ollama answers there again. `onText`: what is being done, in words. NODE_NOT_FOUND, BAD_INPUT (a node
   * by URL), SUDO_DENIED, ACTION_FAILED, VERIFY_FAILED.
   */
  restart(node: string, onText?: (text: string) => void): Promise<{readonly version?: string}>
  /** NODE_NOT_FOUND, MODEL_NOT_FOUND, NO_SPACE, NODE_ERROR; INTERRUPTED when the signal aborts. */
  pull(node: string, model: string, onReport: Reporter, signal: AbortSignal): Promise<void>
  /** Ends a request that waits or runs. REQUEST_NOT_FOUND: it has ended; BAD_INPUT: no gateway is named. */
  cancel(request: string): Promise<void>
  /** REQUEST_NOT_FOUND: the gateway no longer knows it; BAD_INPUT: no gateway is named. */
  decision(request: string): Promise<RequestDecision>
  /**
   * The journal of a node's service, first its last lines, then what comes, until the signal aborts; resolves then. `text`:
   * whole or parts of lines, as they come. NODE_NOT_FOUND, BAD_INPUT (a node without SSH), SUDO_DENIED, ACTION_FAILED.
   */
  followLogs(node: string, onText: (text: string) => void, signal: AbortSignal): Promise<void>
}
