/** The terminal while the picture is on it. */
export interface Terminal {
  readonly size: {readonly columns: number; readonly rows: number}
  write(text: string): void
  /** Other screen, no cursor, no wrapping, keys as they are pressed. */
  enter(): void
  /** All as it was before. May be called again and again, also while the process ends. */
  leave(): void
  onResize(listener: () => void): () => void
}

export interface TerminalStreams {
  readonly stdin: Pick<NodeJS.ReadStream, 'isTTY'> & {setRawMode?(on: boolean): unknown}
  readonly stdout: Pick<NodeJS.WriteStream, 'columns' | 'rows' | 'write' | 'on' | 'off'>
}

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const LEAVE = '\u001b[m\u001b[?7h\u001b[?25h\u001b[?1049l'

export function makeTerminal({stdin, stdout}: TerminalStreams): Terminal {
  let inside = false
  const raw = (on: boolean) => {
    try {
      if (stdin.isTTY) stdin.setRawMode?.(on)
    } catch {
      // The terminal is gone; there is no mode left to set.
    }
  }
  const write = (text: string) => {
    try {
      stdout.write(text)
    } catch {
      // Likewise.
    }
  }
  return {
    get size() {
      return {columns: stdout.columns || 80, rows: stdout.rows || 24}
    },
    write(text) {
      if (inside) write(text)
    },
    enter() {
      if (inside) return
      inside = true
      raw(true)
      write(ENTER)
    },
    leave() {
      if (!inside) return
      inside = false
      write(LEAVE)
      raw(false)
    },
    onResize(listener) {
      stdout.on('resize', listener)
      return () => void stdout.off('resize', listener)
    },
  }
}
