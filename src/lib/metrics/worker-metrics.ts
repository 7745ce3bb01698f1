import {Counter, Gauge, type Registry} from 'prom-client'

/** A process that answers clients on behalf of this one. */
export interface WorkerSample {
  /** Its place, from 1 on; whoever is started in place of another one has the same. */
  readonly place: number
  /** Since it was started. */
  readonly cpuSeconds: number
  readonly residentBytes: number
}

export interface WorkersSample {
  readonly workers: readonly WorkerSample[]
  /** Workers that have ended although they were wanted, so far. */
  readonly ended: number
}

/** Shows what workers use: prom-client's own metrics of the process are of this one alone. `sample` is asked at each scrape. */
export function exposeWorkers(registry: Registry, sample: () => WorkersSample): void {
  const registers = [registry]
  const labelNames = ['worker']
  new Gauge({
    name: 'ollamax_worker_resident_memory_bytes',
    help: 'Resident memory of a worker.',
    ...{labelNames, registers},
    collect() {
      this.reset()
      for (const {place, residentBytes} of sample().workers)
        this.set({worker: `${place}`}, residentBytes)
    },
  })
  new Counter({
    name: 'ollamax_worker_cpu_seconds_total',
    help: 'CPU time of a worker.',
    ...{labelNames, registers},
    collect() {
      this.reset()
      for (const {place, cpuSeconds} of sample().workers) this.inc({worker: `${place}`}, cpuSeconds)
    },
  })
  new Counter({
    name: 'ollamax_workers_ended_total',
    help: 'Workers that have ended although they were wanted.',
    registers,
    collect() {
      this.reset()
      this.inc(sample().ended)
    },
  })
}
