import {statfs} from 'node:fs/promises'
import {availableParallelism, cpus, freemem, totalmem} from 'node:os'
import type {MachineReading} from '../../cluster/live.ts'

/** How the machine is that this process runs on, as far as Node tells it; `before`: the ticks of the last time. */
export async function readOwnMachine(
  dir: string,
  before: Ticks | undefined,
): Promise<{readonly reading: MachineReading; readonly ticks: Ticks}> {
  const ticks = ticksNow()
  const all = before ? ticks.all - before.all : 0
  const share = before && all > 0 ? {cpuShare: 1 - (ticks.idle - before.idle) / all} : {}
  const disk = await statfs(dir).then(
    ({bsize, blocks, bavail}) => ({
      disk: {totalBytes: bsize * blocks, freeBytes: bsize * bavail},
    }),
    () => ({}),
  )
  const memory = {totalBytes: totalmem(), availableBytes: freemem()}
  const atMs = Date.now()
  return {
    reading: {atMs, cores: availableParallelism(), ...share, memory, ...disk, gpus: []},
    ticks,
  }
}

export interface Ticks {
  readonly all: number
  readonly idle: number
}

function ticksNow(): Ticks {
  let all = 0
  let idle = 0
  for (const {times} of cpus()) {
    all += times.user + times.nice + times.sys + times.idle + times.irq
    idle += times.idle
  }
  return {all, idle}
}
