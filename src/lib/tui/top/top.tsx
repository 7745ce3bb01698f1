import {Writable} from 'node:stream'
import {render, useApp, useInput} from 'ink'
import {useEffect, useLayoutEffect, useMemo, useSyncExternalStore} from 'react'
import {keyNames} from './key-names.ts'
import type {Painter} from './painter.ts'
import {picture} from './picture.ts'
import type {TopStore} from './store.ts'
import type {Theme} from './theme.ts'

export interface TopProps {
  readonly store: TopStore
  readonly theme: Theme
  readonly painter: Painter
  /** Hands over the way to lend the keyboard to another program. */
  readonly onSuspend: (suspend: Suspend) => void
}

/** Runs `work` while the keyboard is not ours. */
export type Suspend = (work: () => Promise<void>) => Promise<unknown>

/** The picture of the store, painted anew whenever that changes; keys go to the store. */
export function Top({store, theme, painter, onSuspend}: TopProps) {
  const state = useSyncExternalStore(store.subscribe, store.getSnapshot)
  const lines = useMemo(() => picture(state, theme), [state, theme])
  const {suspendTerminal} = useApp()
  useEffect(() => onSuspend(suspendTerminal), [onSuspend, suspendTerminal])
  useLayoutEffect(() => painter.paint(lines), [painter, lines])
  useInput((input, key) => {
    for (const name of keyNames(input, key)) store.dispatch({kind: 'key', key: name})
  })
  return null
}

/** Begins to hear keys and to paint. Resolves, when called, once the keyboard is let go of. */
export function mountTop(props: TopProps, stdin: NodeJS.ReadStream): () => Promise<void> {
  // The painter draws; what Ink itself would write goes nowhere.
  const nowhere = new Writable({write: (_chunk, _encoding, done) => done()})
  const ink = render(<Top {...props} />, {
    stdin,
    stdout: Object.assign(nowhere, {isTTY: true, columns: 80, rows: 24}),
    stderr: nowhere,
    exitOnCtrlC: false,
    patchConsole: false,
    interactive: true,
  })
  return async () => {
    ink.unmount()
    await ink.waitUntilExit()
  }
}
