import {onTestFinished} from 'vitest'
import type {LiveWireFrame} from '../../src/lib/cluster/live-wire.ts'
import {waitFor} from './wait-for.ts'

/** Watches a gateway as a program would that knows the page's address alone; it leaves at the test's end. */
export async function watchLive(url: string, headers: Readonly<Record<string, string>> = {}) {
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const reply = await fetch(`${url}/ollamax/v1/live`, {headers, signal: stop.signal})
  const frames: LiveWireFrame[] = []
  const read = async () => {
    let held = ''
    const decoder = new TextDecoder()
    for await (const chunk of reply.body ?? []) {
      const lines = (held + decoder.decode(chunk, {stream: true})).split('\n')
      held = lines.pop() ?? ''
      for (const line of lines) frames.push(JSON.parse(line) as LiveWireFrame)
    }
  }
  const ended = read().then(
    () => 'ended',
    () => 'broken',
  )
  return {
    status: reply.status,
    type: reply.headers.get('content-type'),
    frames,
    /** How the stream came to its end. */
    ended,
    leave: () => stop.abort(),
    /** The first frame, of those that have come and will come, for which this is true. */
    frame: (what: string, is: (frame: LiveWireFrame) => boolean) =>
      waitFor(what, () => frames.find(is)),
    node: (name: string) =>
      frames
        .flatMap(({nodes, changed = []}) => [...nodes, ...changed])
        .filter((node) => node.name === name)
        .at(-1),
  }
}
