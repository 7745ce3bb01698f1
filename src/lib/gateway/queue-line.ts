import type {Call} from './route.ts'

/** Where a request waits, and how long it still has to. */
export interface Place {
  readonly position: number
  readonly expectedMs: number
}

/** A line of the stream that is no piece of the answer: its text is empty, so that every client can read it. */
export function queueLine(call: Call, model: string, {position, expectedMs}: Place): string {
  const text = call === 'chat' ? {message: {role: 'assistant', content: ''}} : {response: ''}
  const line = {
    model,
    created_at: new Date().toISOString(),
    ...text,
    done: false,
    status: 'queued',
    queue_position: position,
    expected_ms: Math.round(expectedMs),
  }
  return `${JSON.stringify(line)}\n`
}
