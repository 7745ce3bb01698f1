import type {
  RecordedNode,
  RecordedReplica,
  RecordedRequest,
  Recording,
} from '../../src/lib/cluster/recording.ts'

const MODEL = 'llama3.2:latest'

/** A node with one warm model of which all is known. */
export function recordedNode(
  node: string,
  changes: Partial<RecordedReplica> = {},
  more: Partial<RecordedNode> = {},
): RecordedNode {
  const replica: RecordedReplica = {
    ...{model: MODEL, sizeBytes: 5e9, loaded: true, contextLength: 4096},
    ...{slots: 1, slotsGiven: true, crowding: 0.15},
    ...{promptTps: 2000, answerTps: 60, answerTokens: 200, loadMs: 5000, serviceMs: 3500},
    ...changes,
  }
  return {
    ...{node, drained: false, latencyMs: 2, fitsBytes: 5e9, mostLoaded: 3, replicas: [replica]},
    ...more,
  }
}

/** A stream that went well and came so long after the first one. */
export function recordedRequest(
  comesMs: number,
  changes: Partial<Omit<RecordedRequest, 'asked'>> = {},
  asked: Partial<RecordedRequest['asked']> = {},
): RecordedRequest {
  return {
    ...{id: `r-${comesMs}`, at: new Date(Date.UTC(2026, 10, 3) + comesMs).toISOString()},
    ...{route: '/api/chat', model: MODEL, node: 'n1', reason: 'warm', attempts: 1, queueMs: 0},
    ...{firstByteMs: 150, totalMs: 3500, promptTokens: 300, answerTokens: 200, status: 200},
    outcome: 'ok',
    ...changes,
    asked: {
      ...{key: '', priority: 'normal', weight: 1, session: null, promptTokens: 280},
      ...{maxAnswerTokens: null, numCtx: null, needs: null, only: null},
      ...{streams: true, canSetNumCtx: true, prefix: [], blockTokens: 128},
      ...asked,
    },
  }
}

export function recording(
  nodes: readonly RecordedNode[],
  requests: readonly RecordedRequest[],
): Recording {
  return {
    ...{version: 1, at: '2026-11-03T12:00:00.000Z', policy: 'expected-time'},
    ...{nodes, requests},
  }
}
