import {StringDecoder} from 'node:string_decoder'

/** Writes chunks of several sources so that lines stay whole, each with the name of its source. */
export interface LinePrefixer {
  write(source: string, chunk: Buffer): void
  /** Writes what has come without a line's end. */
  end(): void
}

/** A line longer than this is written in parts: what never ends a line must not fill the memory. */
const MAX_LINE = 64 * 1024

/** `pad`: columns that names are padded to. */
export function prefixLines(write: (line: string) => void, pad: number): LinePrefixer {
  const sources = new Map<string, {decoder: StringDecoder; rest: string}>()
  const put = (source: string, line: string) => write(`${source.padEnd(pad)} | ${line}\n`)
  return {
    write(source, chunk) {
      const state = sources.get(source) ?? {decoder: new StringDecoder('utf8'), rest: ''}
      sources.set(source, state)
      // A character may be parted between two chunks.
      const lines = (state.rest + state.decoder.write(chunk)).split('\n')
      state.rest = lines.pop() ?? ''
      for (const line of lines) put(source, line.replace(/\r$/, ''))
      if (state.rest.length <= MAX_LINE) return
      put(source, state.rest)
      state.rest = ''
    },
    end() {
      for (const [source, state] of sources) {
        const rest = state.rest + state.decoder.end()
        if (rest !== '') put(source, rest)
        state.rest = ''
      }
    },
  }
}
