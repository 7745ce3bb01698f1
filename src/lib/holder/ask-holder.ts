import {connect} from 'node:net'
import {type HolderReply, type HolderRequest, MAX_LINE} from './protocol.ts'

/**
 * Sends one request to a holder and returns its reply; undefined if none listens there. Throws for a
 * holder that answers nothing sensible. Loads nothing heavy: it is on the way of every `run`.
 */
export function askHolder(
  control: string,
  request: HolderRequest,
  signal: AbortSignal,
): Promise<HolderReply | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(control)
    let text = ''
    const stop = () => {
      reject(signal.reason)
      socket.destroy()
    }
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, {once: true})
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
      if (text.length > MAX_LINE) socket.destroy(new Error('the holder says too much'))
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const nobody = error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
      if (nobody) resolve(undefined)
      else reject(error)
    })
    socket.on('close', () => {
      signal.removeEventListener('abort', stop)
      try {
        resolve(JSON.parse(text) as HolderReply)
      } catch (error) {
        reject(error)
      }
    })
  })
}
