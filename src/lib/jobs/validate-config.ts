import {POLICY_NAMES} from '../balancer/policies.ts'
import {OllamaxError} from '../errors.ts'
import {readAny} from './change-clusters.ts'
import {sourceOf} from './config-settings.ts'
import type {Tools} from './tools.ts'

export interface ValidConfig {
  readonly file: string
  readonly nodes: number
}

/** Checks a cluster file (`-`: stdin; absent: that of the cluster). CONFIG_INVALID lists every problem. */
export async function validateConfig(
  tools: Pick<Tools, 'paths' | 'clusterName'>,
  from: string | undefined,
): Promise<ValidConfig> {
  const {compile} = await import('../state/compile.ts')
  const source =
    from === undefined
      ? sourceOf(tools)
      : {name: 'validated', text: readAny(from), file: from === '-' ? 'stdin' : from}
  const {cluster} = compile(source)
  if (cluster.policy !== undefined && !POLICY_NAMES.some((name) => name === cluster.policy))
    throw new OllamaxError(
      'CONFIG_INVALID',
      `${source.file} wants the policy "${cluster.policy}", which there is not`,
      {suggestions: [`use one of: ${POLICY_NAMES.join(', ')}`]},
    )
  return {file: source.file, nodes: cluster.nodes.length}
}
