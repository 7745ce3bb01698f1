import {askNobody} from '../cluster/ask.ts'
import {loadCluster} from '../state/load.ts'
import {pathsFor} from '../state/paths.ts'
import {chosenCluster} from '../state/preferences.ts'
import type {ChangeRecorder} from './change-recorder.ts'
import type {Dialer} from './dial-nodes.ts'
import {localEndpoint} from './local-endpoint.ts'
import type {Tools, ToolsOptions} from './tools.ts'

/** The one place that builds real tools. Cheap: nothing is loaded or opened before it is asked for. */
export function makeTools(options: ToolsOptions): Tools {
  const closers: Array<() => Promise<void> | void> = []
  const ask = options.ask ?? askNobody
  const paths = pathsFor(options.env)
  const clusterName = () => chosenCluster(paths, options.cluster, options.env)
  /** As the cluster file said when it was last read; undefined: the holder's own default. */
  let reuseIdleMs: number | undefined
  let dialing: Promise<Dialer> | undefined
  const dialer = () => {
    dialing ??= import('./dial-nodes.ts').then(({makeDialer}) => {
      const made = makeDialer(options)
      closers.push(() => made.close())
      return made
    })
    return dialing
  }
  let recording: Promise<ChangeRecorder> | undefined
  const recorder = () => {
    recording ??= import('./change-recorder.ts').then(({changeRecorder}) =>
      changeRecorder({...options, paths, cluster: clusterName()}),
    )
    return recording
  }
  return {
    env: options.env,
    signal: options.signal,
    paths,
    clusterName,
    async cluster() {
      const cluster = await loadCluster(paths, clusterName())
      reuseIdleMs = cluster.defaults?.reuseIdleMs
      return cluster
    },
    async editCluster(change, {signal = options.signal} = {}) {
      const {editCluster} = await import('../state/edit.ts')
      const why = process.argv.slice(2, 4).join(' ')
      return editCluster({paths, name: clusterName()}, change, {signal, why})
    },
    async dial(node, choices) {
      const remote = await (await dialer()).dial(node, choices)
      return (await recorder())(node, remote)
    },
    async endpoint(node) {
      if (node.kind !== 'ssh') return localEndpoint(node, {env: options.env, paths})
      const own = (await dialing)?.stands(node) ?? false
      const reuse = options.reuse !== false && options.env.OLLAMAX_NO_REUSE !== '1'
      if (reuse && reuseIdleMs !== 0 && !own) {
        const {heldEndpoint} = await import('./ssh-endpoint.ts')
        const held = await heldEndpoint(node, {...options, ask, paths, cluster: clusterName()})
        if (held) return held
      }
      return {kind: 'stream', open: async (signal) => (await dialer()).stream(node, signal)}
    },
    ask,
    onClose: (close) => void closers.push(close),
    async close() {
      for (let close = closers.pop(); close; close = closers.pop()) await close()
    },
  }
}
