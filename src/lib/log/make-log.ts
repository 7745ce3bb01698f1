import type {Writable} from 'node:stream'
import {type LevelWithSilent, pino} from 'pino'
import type {RequestRecord} from '../cluster/request-record.ts'
import {accessLine} from './access-line.ts'
import {LineSink} from './line-sink.ts'
import {outletOf} from './outlet.ts'
import {type Paint, prettyLine} from './pretty-line.ts'
import {escapeMisleading, withoutSecrets} from './safe-text.ts'

export type LogLevel = LevelWithSilent
type Fields = Readonly<Record<string, unknown>>

/** The gateway's log. None of its calls throws, waits, or can stop whoever calls it. */
export interface Log {
  /** `fields`: what else is known; an error stands under `err`. Never a body, never a secret. */
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** The line of a request that has ended, at level `info`. Costs one to two microseconds. */
  access(record: RequestRecord): void
  /** Lines that could not be written, so far. */
  droppedLines(): number
  /** Writes what is left, at most a second long; for the end of the process. Does not end the stream. */
  close(): Promise<void>
}

export interface LogOptions {
  readonly stream: Writable
  /** For a person at a terminal; absent: JSON lines. */
  readonly pretty?: Paint
  /** Default `info`. */
  readonly level?: LogLevel
  /** Told, once each time, that lines begin to be lost: say it where it can be read. */
  readonly onLoss?: (message: string) => void
}

export function makeLog({stream, pretty, level = 'info', onLoss}: LogOptions): Log {
  const sink = new LineSink(outletOf(stream), {
    onLoss: (why) =>
      onLoss?.(`the log cannot be written: ${why}; its lines are dropped and counted`),
    onRecovery: (lines) => logger.warn({lines}, 'log lines were lost'),
  })
  const write = pretty
    ? (line: string) => sink.write(prettyLine(line, pretty))
    : (line: string) => sink.write(line)
  const logger = pino(
    {level, base: null, formatters: {level: (label) => ({level: label})}},
    {write: (line) => write(escapeMisleading(withoutSecrets(line)))},
  )
  const say =
    (at: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: Fields = {}) =>
      logger[at](fields, message)
  const access = logger.isLevelEnabled('info')
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    access: (record) => {
      if (access) write(accessLine(record))
    },
    droppedLines: () => sink.dropped,
    close: () => sink.close(),
  }
}
