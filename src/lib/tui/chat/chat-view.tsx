import {Static, Text, useApp, useCursor, useInput, usePaste, useWindowSize} from 'ink'
import {useEffect, useState, useSyncExternalStore} from 'react'
import {frameOf, SPIN_MS} from './frame.ts'
import {pressesOf} from './keys.ts'
import type {Look} from './spans.ts'
import type {ChatState} from './state.ts'
import type {ChatStore} from './store.ts'

interface ViewProps {
  readonly store: ChatStore
  readonly look: Look
  /** A clock in ms. */
  readonly now: () => number
  /** Told how to leave the terminal to somebody else for a while. */
  readonly onReady?: (suspend: () => Promise<{resume(): Promise<void>}>) => void
}

/** What is written for good scrolls away above; below it stand the open end of the answer and the line being written. */
export function ChatView({store, look, now, onReady}: ViewProps) {
  const state = useSyncExternalStore(store.subscribe, store.snapshot)
  const size = useWindowSize()
  const nowMs = useClock(now, state.busy)
  const {setCursorPosition} = useCursor()
  const {suspendTerminal} = useApp()
  useEffect(() => onReady?.(suspendTerminal), [onReady, suspendTerminal])
  useInput((input, key) => {
    for (const one of pressesOf(input, key)) store.press(one)
  })
  usePaste((text) => store.press({text}))
  const {lines, cursor} = frameOf(state, size, look, nowMs)
  setCursorPosition(cursor)
  return (
    <>
      <Static items={[...state.written]}>{writtenLines}</Static>
      <Text>{lines.join('\n')}</Text>
    </>
  )
}

/** A text without any character would take no row. */
const writtenLines = ({id, lines}: ChatState['written'][number]) => (
  <Text key={id}>{lines.join('\n') || ' '}</Text>
)

function useClock(now: () => number, running: boolean): number {
  const [nowMs, setNow] = useState(now())
  useEffect(() => {
    if (!running) return
    setNow(now())
    const timer = setInterval(() => setNow(now()), SPIN_MS)
    return () => clearInterval(timer)
  }, [running, now])
  return nowMs
}
