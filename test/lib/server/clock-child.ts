// Imported first by a process whose clock is to jump: each SIGUSR2 sets it an hour ahead, back to the truth, two days
// back, and so on. Timers and performance.now() go on as they do when a machine's clock is set.
const RealDate = Date
const HOUR_MS = 3_600_000
const shifts = [0, HOUR_MS, 0, -48 * HOUR_MS]
let at = 0
const now = () => RealDate.now() + (shifts[at % shifts.length] ?? 0)

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args) => Reflect.construct(target, args.length > 0 ? args : [now()]),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
})
process.on('SIGUSR2', () => at++)
