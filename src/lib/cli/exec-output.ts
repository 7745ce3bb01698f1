import {OllamaxError} from '../errors.ts'
import {harmless} from './paint.ts'
import {prefixLines} from './prefix-lines.ts'

/** The words after `--`; BAD_INPUT if there are none. */
export function readCommand(words: readonly string[]): readonly string[] {
  if (words.length > 0) return words
  throw new OllamaxError('BAD_INPUT', 'no command is given', {
    suggestions: ['put it after --, for example: ollamax node exec gpu-1 -- uptime'],
  })
}

/** Shows what commands on nodes print: of one node byte by byte, of several as lines with names. */
export function showOutput() {
  let lines: ReturnType<typeof both> | undefined
  return {
    begin(names: readonly string[]) {
      if (names.length > 1) lines = both(Math.max(...names.map((name) => name.length)))
    },
    write(node: string, stream: 'stdout' | 'stderr', chunk: Buffer) {
      if (lines) lines[stream].write(node, chunk)
      else process[stream].write(chunk)
    },
    end() {
      lines?.stdout.end()
      lines?.stderr.end()
    },
  }
}

const both = (pad: number) => ({
  stdout: prefixLines((line) => put(process.stdout, line), pad),
  stderr: prefixLines((line) => put(process.stderr, line), pad),
})

/** On a terminal no node may write into the lines of another. */
const put = (stream: NodeJS.WriteStream, line: string) =>
  void stream.write(stream.isTTY ? harmless(line) : line)
