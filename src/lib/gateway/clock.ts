/** Wall time, ms since the epoch, that does not jump when the machine's clock is set. */
export const steadyMs = () => performance.timeOrigin + performance.now()
