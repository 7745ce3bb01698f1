import type {RequestRecord} from '../../src/lib/cluster/request-record.ts'

/** A chat that went well, with what the test cares about changed or left out. */
export function requestRecord(
  changes: Partial<RequestRecord> = {},
  ...without: readonly ('node' | 'model')[]
): RequestRecord {
  const {
    node = '',
    model = '',
    ...rest
  }: RequestRecord = {
    requestId: 'req-1',
    atMs: Date.UTC(2026, 10, 3, 12),
    method: 'POST',
    route: '/api/chat',
    dialect: 'ollama',
    model: 'llama3.2:latest',
    node: 'alpha',
    status: 200,
    outcome: 'ok',
    attempts: 1,
    queueMs: 0,
    firstByteMs: 30,
    totalMs: 400,
    promptTokens: 10,
    answerTokens: 20,
    bytesIn: 100,
    bytesOut: 2000,
    ...changes,
  }
  return {
    ...rest,
    ...(without.includes('node') ? {} : {node}),
    ...(without.includes('model') ? {} : {model}),
  }
}
