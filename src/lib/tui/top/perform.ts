import type {FleetActions} from '../../cluster/live-actions.ts'
import type {Report} from '../../cluster/report.ts'
import {roundSize} from '../../cluster/size.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {Effect} from './state.ts'
import type {TopEvent} from './update.ts'

export interface PerformOptions {
  /** Loaded on first use: the first picture does not wait for it. */
  readonly actions: () => Promise<FleetActions>
  /** Opens a shell on a node while the picture is away; its exit code. */
  readonly shell: (node: string) => Promise<number>
  readonly dispatch: (event: TopEvent) => void
  /** Ends all that was begun here. */
  readonly signal: AbortSignal
  /** What the terminal itself has to do. */
  readonly host: (effect: 'quit' | 'pause' | 'redraw') => void
}

/** Does what a key asked for, and tells in the status line what became of it. Never throws. */
export function performer(options: PerformOptions): (effect: Effect) => void {
  const {dispatch, host, signal} = options
  let following: AbortController | undefined
  const tell = (text: string, tone: 'good' | 'warn' = 'good') =>
    dispatch({kind: 'told', told: {tone, text}})

  /** While it is being done the status line says so. */
  const during = async (subject: string, text: string, work: () => Promise<string>) => {
    dispatch({kind: 'doing', subject, text})
    try {
      const done = await work()
      if (!signal.aborted) tell(done)
    } catch (error) {
      if (!signal.aborted) dispatch({kind: 'told', told: {tone: 'bad', text: failure(error)}})
    } finally {
      dispatch({kind: 'doing', subject})
    }
  }

  const follow = async (node: string) => {
    following?.abort()
    const own = new AbortController()
    following = own
    const stop = AbortSignal.any([own.signal, signal])
    try {
      const actions = await options.actions()
      await actions.followLogs(node, (text) => dispatch({kind: 'log', node, text}), stop)
      if (!stop.aborted) dispatch({kind: 'log-ended', node, why: 'the log has ended'})
    } catch (error) {
      if (!stop.aborted) dispatch({kind: 'log-ended', node, why: failure(error)})
    }
  }

  const pull = (node: string, model: string) =>
    during(node, `pulling ${model} ...`, async () => {
      const actions = await options.actions()
      const report = (event: Report) => {
        const text = pullText(event)
        if (text) dispatch({kind: 'doing', subject: node, text: `pulling ${model}: ${text}`})
      }
      await actions.pull(node, model, report, signal)
      return `${model} is on ${node}`
    })

  const decide = async (request: string) => {
    try {
      const known = await (await options.actions()).decision(request)
      dispatch({kind: 'decided', request, known})
    } catch (error) {
      dispatch({kind: 'decided', request, failed: failure(error)})
    }
  }

  const doIt = async (effect: Effect): Promise<void> => {
    switch (effect.kind) {
      case 'quit':
      case 'pause':
      case 'redraw':
        return host(effect.kind)
      case 'unfollow':
        return following?.abort()
      case 'follow':
        return follow(effect.node)
      case 'decide':
        return decide(effect.request)
      case 'pull':
        return pull(effect.node, effect.model)
      case 'cancel':
        return during('request', 'being ended ...', async () => {
          await (await options.actions()).cancel(effect.request)
          return 'the request is ended'
        })
      case 'drain':
      case 'undrain':
        return during(effect.node, `${effect.kind} ...`, async () => {
          const {changed} = await (await options.actions())[effect.kind](effect.node)
          const how = effect.kind === 'drain' ? 'drained' : 'not drained any more'
          return changed ? `${effect.node} is ${how}` : `${effect.node} was ${how} already`
        })
      case 'restart':
        return during(effect.node, 'restarting ...', async () => {
          const {version} = await (await options.actions()).restart(effect.node, (text) =>
            dispatch({kind: 'doing', subject: effect.node, text}),
          )
          return `${effect.node} answers again${version === undefined ? '' : ` (Ollama ${version})`}`
        })
      case 'shell':
        return during(effect.node, 'a shell ...', async () => {
          const code = await options.shell(effect.node)
          return code === 0
            ? `back from ${effect.node}`
            : `the shell on ${effect.node} ended with exit code ${code}; to see why: ollamax node shell ${effect.node}`
        })
    }
  }
  return (effect) => {
    doIt(effect).catch((error) =>
      dispatch({kind: 'told', told: {tone: 'bad', text: failure(error)}}),
    )
  }
}

/** What happened and what to do next, in one line. */
function failure(error: unknown): string {
  const next = OllamaxError.is(error) ? error.suggestions[0] : undefined
  return [messageOf(error), next]
    .filter((part) => part !== undefined && part !== '')
    .join('; next: ')
}

function pullText(event: Report): string | undefined {
  if (event.kind === 'bytes') {
    const of = event.total === undefined ? '' : ` of ${roundSize(event.total)}`
    return `${roundSize(event.done)}${of}`
  }
  if (event.kind === 'start') return event.step
  return event.kind === 'note' || event.kind === 'warn' ? event.text : undefined
}
