import {PerformanceObserver} from 'node:perf_hooks'
import {getHeapSpaceStatistics, setFlagsFromString} from 'node:v8'

/**
 * For new objects, in each of two halves. V8 lets it grow to twice that: then 500 streams on one core waited 10 to 29 ms for
 * each time that it was tidied up (now 6 to 14), and the process took 60 MB more. Less of it costs CPU.
 */
const HALF_BYTES = 8 * 1024 * 1024

/**
 * Keeps the space of new objects at the size that suits streams, once it has grown to it. V8 takes its largest size on the
 * command line alone, but how much it grows by at any time; it grows at the end of a collection.
 */
export function boundYoungSpace(): void {
  const observer = new PerformanceObserver(() => {
    const young = getHeapSpaceStatistics().find(({space_name}) => space_name === 'new_space')
    if ((young?.space_size ?? 0) < 2 * HALF_BYTES) return
    setFlagsFromString('--semi-space-growth-factor=1')
    observer.disconnect()
  })
  observer.observe({entryTypes: ['gc']})
}
