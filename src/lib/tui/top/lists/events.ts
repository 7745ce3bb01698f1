import type {FleetEvent} from '../../../cluster/fleet-event.ts'
import type {Column} from '../table.ts'
import type {Tone} from '../theme.ts'
import {clockTime} from '../words.ts'

const TONES: Readonly<Partial<Record<FleetEvent['event'], Tone>>> = {
  silent: 'warn',
  lost: 'bad',
  back: 'good',
  failed: 'bad',
  unmet: 'warn',
  met: 'good',
  trouble: 'bad',
  done: 'good',
}

/** The newest first. */
export const newestFirst = (events: readonly FleetEvent[]): readonly FleetEvent[] =>
  [...events].reverse()

export const EVENT_COLUMNS: readonly Column<FleetEvent>[] = [
  {
    id: 'time',
    title: 'TIME',
    letter: 'T',
    width: 8,
    rank: 1,
    cell: ({at}) => clockTime(Date.parse(at)),
    value: ({at}) => at,
  },
  {
    id: 'event',
    title: 'EVENT',
    letter: 'E',
    width: 9,
    rank: 2,
    cell: ({event}) => ({text: event, tone: TONES[event] ?? 'plain'}),
    value: ({event}) => event,
  },
  {
    id: 'node',
    title: 'NODE',
    letter: 'N',
    width: 12,
    grow: 1,
    rank: 3,
    cell: ({node}) => node ?? '-',
    value: ({node}) => node,
  },
  {
    id: 'text',
    title: 'WHAT HAPPENED',
    letter: 'W',
    width: 20,
    grow: 5,
    rank: 0,
    cell: ({text}) => text,
    value: ({text}) => text,
  },
]
