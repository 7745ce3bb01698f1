import {OllamaxError} from '../errors.ts'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

const DEFAULT_PORT = 11_435

/** `host:port`, `:port`, `port`, `[::1]:port` or a host alone. BAD_INPUT. */
export function parseListen(text: string): ListenAddress {
  const found = /^(?:(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::(\d{1,5}))?|(\d{1,5}))$/.exec(text.trim())
  const onlyPort = found?.[3] ?? (/^\d{1,5}$/.test(found?.[1] ?? '') ? found?.[1] : undefined)
  const port = Number(onlyPort ?? found?.[2] ?? DEFAULT_PORT)
  const host = onlyPort ? '' : (found?.[1] ?? '').replace(/^\[|\]$/g, '')
  if (found && port <= 65_535 && !/\s/.test(host)) return {host: host || '127.0.0.1', port}
  throw new OllamaxError('BAD_INPUT', `"${text}" is no address to listen on`, {
    suggestions: ['--listen 127.0.0.1:11435', '--listen [::1]:11435'],
  })
}
