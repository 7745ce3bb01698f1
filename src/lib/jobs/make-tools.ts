import {pathsFor} from '../state/paths.ts'
import type {Tools, ToolsOptions} from './tools.ts'

/** The one place that builds real tools. Cheap: nothing is loaded or opened before it is asked for. */
export function makeTools(options: ToolsOptions): Tools {
  const closers: Array<() => Promise<void> | void> = []
  const later = (what: string) => (): never => {
    throw new Error(`${what} is not wired yet`)
  }
  return {
    env: options.env,
    signal: options.signal,
    paths: pathsFor(options.env),
    cluster: later('cluster'),
    editCluster: later('editCluster'),
    dial: later('dial'),
    endpoint: later('endpoint'),
    get ask(): never {
      return later('ask')()
    },
    onClose: (close) => void closers.push(close),
    async close() {
      for (let close = closers.pop(); close; close = closers.pop()) await close()
    },
  }
}
