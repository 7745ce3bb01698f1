import {setTimeout as pause} from 'node:timers/promises'
import type {Reporter} from '../cluster/report.ts'
import {inspectArtifact} from '../provision/artifact.ts'
import {deployDirectory} from '../state/deploy-lock.ts'
import {operatorName} from '../state/operator.ts'
import {openJournal} from './roll/journal.ts'
import {notOurs} from './roll/roll-one.ts'
import type {RollShared, RollTarget, RollTools} from './roll/roll-run.ts'
import {rollWave} from './roll/roll-wave.ts'
import {notBegun, type RolledNode} from './roll/rolled-node.ts'
import {wavesOf} from './roll/waves.ts'
import {runHook} from './run-hook.ts'
import {sudoPasswordOf} from './sudo-password.ts'

export type {RollTarget} from './roll/roll-run.ts'

export interface RollOptions {
  readonly targets: readonly RollTarget[]
  /** Name of the node that is changed first and alone; default: the first one. */
  readonly canary?: string | undefined
  /** The nodes after the canary are changed in so many waves. */
  readonly waves: number
  /** Path of an archive to carry over. */
  readonly artifact?: string | undefined
  readonly artifactSha256?: string | undefined
  /** Longest wait for the requests that run on a node. */
  readonly drainMs: number
  /** A node that is slower than this part of what it was before is bad; 0: none is. */
  readonly minPace: number
  /** Between two waves, so that gateways find the nodes of the one before up again. */
  readonly pauseMs: number
  readonly sudoPassword?: string | undefined
  /** What is done, for those who find a node locked. */
  readonly reason: string
  /** Write the version that a node has then into the cluster file. */
  readonly recordVersion: boolean
  readonly report: Reporter
}

/**
 * Changes version and environment of nodes, one wave after the other, so that no request fails: see `rollOne`. A wave
 * with a bad node is rolled back as a whole, and none comes after it. To be called under the deploy lock. BAD_INPUT,
 * ARTIFACT_BAD before anything is touched; what becomes of a node is in its row. An interrupt leaves what the same
 * call completes.
 */
export async function rollNodes(tools: RollTools, options: RollOptions): Promise<RolledNode[]> {
  const {targets, report, artifact: path, artifactSha256: sha256} = options
  const {signal} = tools
  for (const {node} of targets) if (node.install === 'external') throw notOurs(node.name)
  const cluster = await tools.cluster()
  const canary = targets.find(({node}) => node.name === options.canary)
  const shared: RollShared = {
    tools,
    hook: (name, {name: node, ssh: target}, version) =>
      runHook(tools, cluster, {name, node, target, version, report}),
    journal: openJournal(deployDirectory(tools.paths, tools.clusterName())),
    artifact: path === undefined ? undefined : await inspectArtifact(path, {sha256, signal}),
    downloads: new Map(),
    sudoPassword: sudoPasswordOf(tools, options.sudoPassword),
    drainMs: options.drainMs,
    minPace: options.minPace,
    why: `${operatorName(tools.env)}: ${options.reason}`,
    report,
  }
  const rows: RolledNode[] = []
  let settled = true
  let stopped = false
  for (const [at, wave] of wavesOf(targets, canary, options.waves).entries()) {
    if (stopped) {
      rows.push(...wave.map(({node}) => notBegun(node.name, at + 1)))
      continue
    }
    if (!settled) await pause(options.pauseMs, undefined, {signal})
    const done = rows.map((row) => row.name)
    const all = targets.map(({node}) => node.name)
    const of = await rollWave(shared, wave, {
      number: at + 1,
      recordVersion: options.recordVersion,
      done,
      all,
    })
    rows.push(...of)
    stopped = of.some((row) => row.error !== undefined)
    settled = of.every((row) => row.outcome === 'unchanged')
  }
  return rows
}
