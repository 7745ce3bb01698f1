import {connect} from 'node:net'
import {OllamaxError} from '../errors.ts'
import {type HolderReply, type HolderRequest, MAX_LINE} from './protocol.ts'

/** A holder that works answers at once what it does not have to dial for. */
const ANSWER_MS = 3000
/** While it dials for us it is asked this often whether it still works. */
const PULSE_MS = 2000

/**
 * Sends one request to a holder and returns its reply; undefined if none listens there. Throws for a
 * holder that hangs (TIMEOUT) or answers nothing sensible. Loads nothing heavy: it is on the way of every `run`.
 */
export async function askHolder(
  control: string,
  request: HolderRequest,
  signal: AbortSignal,
): Promise<HolderReply | undefined> {
  const hangs = new AbortController()
  const end = AbortSignal.any([signal, hangs.signal])
  const late = () =>
    hangs.abort(new OllamaxError('TIMEOUT', 'the connection holder does not answer'))
  const pulse = () =>
    send(control, {op: 'status'}, AbortSignal.any([end, AbortSignal.timeout(ANSWER_MS)])).catch(
      late,
    )
  // How long a dial takes is for the dial itself to limit.
  const timer = request.op === 'open' ? setInterval(pulse, PULSE_MS) : setTimeout(late, ANSWER_MS)
  try {
    return await send(control, request, end)
  } finally {
    clearTimeout(timer)
    // A pulse that is under way has nobody left to tell.
    hangs.abort()
  }
}

function send(
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
