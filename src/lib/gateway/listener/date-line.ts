let line = ''
let untilMs = 0

/** The Date header of an answer, made once a second. */
export function dateLine(): string {
  const nowMs = Date.now()
  // A clock that was set back counts too.
  if (nowMs >= untilMs || nowMs < untilMs - 1000) {
    line = `Date: ${new Date(nowMs).toUTCString()}\r\n`
    untilMs = nowMs - (nowMs % 1000) + 1000
  }
  return line
}
