import {shortModelName} from '../cluster/model-name.ts'
import type {RecordedNode, RecordedReplica} from '../cluster/recording.ts'
import type {NodeState} from './node-state.ts'
import type {Replica} from './replica.ts'

/** The nodes with all that was learned of them and bears on a replay, in values that do not change any more. */
export function recordFleet(nodes: Iterable<NodeState>): RecordedNode[] {
  return [...nodes].map(({name, spec, latencyMs, memory, replicas}) => {
    const {fitsBytes, tooMuchBytes, mostCount} = memory.seen
    return {
      node: name,
      drained: spec.drained,
      latencyMs,
      ...(spec.weight === undefined ? {} : {weight: spec.weight}),
      ...(spec.tier === undefined ? {} : {tier: spec.tier}),
      fitsBytes: spec.memoryBytes ?? fitsBytes,
      ...(Number.isFinite(tooMuchBytes) ? {tooMuchBytes} : {}),
      mostLoaded: mostCount,
      replicas: [...replicas.values()].map(recordReplica),
    }
  })
}

function recordReplica(replica: Replica): RecordedReplica {
  const {loaded} = replica.residence
  const {promptTps, answerTps, answerTokens, loadMs, serviceMs} = replica.own ?? {}
  return {
    model: shortModelName(replica.model.key),
    sizeBytes: replica.memoryBytes,
    loaded: loaded !== undefined,
    ...(loaded?.contextLength === undefined ? {} : {contextLength: loaded.contextLength}),
    slots: replica.slots,
    slotsGiven: replica.at.spec.slots !== undefined,
    crowding: replica.slotsLearned.crowding,
    ...(promptTps === undefined ? {} : {promptTps}),
    ...(answerTps === undefined ? {} : {answerTps}),
    ...(answerTokens === undefined ? {} : {answerTokens}),
    ...(loadMs === undefined ? {} : {loadMs}),
    ...(serviceMs === undefined ? {} : {serviceMs}),
  }
}
