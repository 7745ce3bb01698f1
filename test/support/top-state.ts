import type {LiveFrame} from '../../src/lib/cluster/live.ts'
import {type Effect, firstState, type TopState} from '../../src/lib/tui/top/state.ts'
import {type TopEvent, update} from '../../src/lib/tui/top/update.ts'
import {liveNode, T0, wholeFrame} from './fake-fleet.ts'

/** Three nodes that are well, for tests of what can be done to them. */
export const THREE = wholeFrame([liveNode('gpu-1'), liveNode('gpu-2'), liveNode('gpu-3')])

/** A picture that keys can be pressed on, without a terminal. */
export function topState({
  frame = THREE,
  columns = 100,
  rows = 24,
}: {
  frame?: LiveFrame
  columns?: number
  rows?: number
} = {}) {
  const effects: Effect[] = []
  let state: TopState = firstState({cluster: 'lab', nowMs: T0, size: {columns, rows}})
  const happen = (event: TopEvent, nowMs = T0) => {
    const step = update(state, event, nowMs)
    state = step.state
    effects.push(...step.effects)
  }
  happen({kind: 'link', link: {state: 'live', source: {kind: 'gateway', url: 'http://gate:1'}}})
  happen({kind: 'frame', frame})
  return {
    /** All that was asked of the world. */
    effects,
    state: () => state,
    happen,
    /** Keys one after the other; a word longer than a letter that is no name of a key is typed. */
    press(...keys: readonly string[]) {
      for (const key of keys)
        if (NAMES.test(key)) happen({kind: 'key', key})
        else for (const char of key) happen({kind: 'key', key: char === ' ' ? 'space' : char})
    },
  }
}

const NAMES =
  /^(enter|esc|tab|shift\+tab|up|down|left|right|pgup|pgdn|home|end|space|backspace|delete|ctrl\+.)$/
