import type {GpuReading, MachineReading} from '../../cluster/live.ts'

/** More of a block than that is not kept, whatever a machine prints. */
const MAX_BLOCK = 64 * 1024
const MAX_GPUS = 64

/** What a block of MACHINE has told. */
interface Block {
  cores?: number | undefined
  /** Ticks since the boot: of all that there were, and those in which nothing was done. */
  ticks?: {readonly all: number; readonly idle: number} | undefined
  memory?: MachineReading['memory'] | undefined
  disk?: MachineReading['disk'] | undefined
  celsius?: number | undefined
  readonly amd: GpuReading[]
  /** Absent: nobody was asked this time. */
  nvidia?: GpuReading[]
}

/**
 * Makes readings of what MACHINE prints, whatever comes: a line that makes no sense is left out, and so is a block that
 * says nothing. Values that are not told with every look are those of the last time.
 */
export class MachineParser {
  #held = ''
  #block: Block = {amd: []}
  #ticks: Block['ticks']
  #disk: Block['disk']
  #nvidia: readonly GpuReading[] = []

  /** The readings that this piece of text completes. */
  push(text: string, atMs: number): MachineReading[] {
    const lines = (this.#held + text).split('\n')
    this.#held = (lines.pop() ?? '').slice(-MAX_BLOCK)
    return lines.flatMap((line) => {
      if (line.trim() !== 'end') {
        this.#take(line)
        return []
      }
      const reading = this.#reading(atMs)
      this.#block = {amd: []}
      return reading ? [reading] : []
    })
  }

  #take(line: string): void {
    const at = line.indexOf('=')
    const value = line.slice(at + 1).trim()
    const block = this.#block
    switch (line.slice(0, at)) {
      case 'n':
        if (/^[1-9]\d{0,4}$/.test(value)) block.cores = Number(value)
        return
      case 'c':
        block.ticks = ticksOf(value) ?? block.ticks
        return
      case 'm':
        block.memory = memoryOf(value) ?? block.memory
        return
      case 'd':
        block.disk = diskOf(value) ?? block.disk
        return
      case 'h':
        block.celsius = celsiusOf(value) ?? block.celsius
        return
      case 'a':
        if (block.amd.length < MAX_GPUS) block.amd.push(...amdOf(value))
        return
      case 'g':
        block.nvidia ??= []
        if (block.nvidia.length < MAX_GPUS) block.nvidia.push(...nvidiaOf(value))
        return
    }
  }

  #reading(atMs: number): MachineReading | undefined {
    const {cores, ticks, memory, celsius, amd, nvidia} = this.#block
    const share = shareOf(this.#ticks, ticks)
    this.#ticks = ticks
    this.#disk = this.#block.disk ?? this.#disk
    this.#nvidia = nvidia ?? this.#nvidia
    const gpus = [...this.#nvidia, ...amd]
    const disk = this.#disk
    if (!cores && !ticks && !memory && !disk && gpus.length === 0) return undefined
    return {
      atMs,
      ...(cores === undefined ? {} : {cores}),
      ...(share === undefined ? {} : {cpuShare: share}),
      ...(memory ? {memory} : {}),
      ...(disk ? {disk} : {}),
      ...(celsius === undefined ? {} : {celsius}),
      gpus,
    }
  }
}

const numbers = (text: string) =>
  text.split(/\s+/).map((word) => (isWhole(word) ? Number(word) : Number.NaN))
const isWhole = (word: string) => /^\d{1,15}$/.test(word)

/** user nice system idle iowait irq softirq steal; guest is in user already. */
function ticksOf(text: string): Block['ticks'] {
  const [user, nice, system, idle, wait = 0, ...more] = numbers(text).slice(0, 8)
  const all = [user, nice, system, idle, wait, ...more]
  if (idle === undefined || all.some((one) => !Number.isFinite(one))) return undefined
  return {all: all.reduce<number>((sum, one) => sum + (one ?? 0), 0), idle: idle + wait}
}

function shareOf(before: Block['ticks'], after: Block['ticks']): number | undefined {
  if (!before || !after || after.all <= before.all) return undefined
  const share = 1 - (after.idle - before.idle) / (after.all - before.all)
  return Math.min(1, Math.max(0, share))
}

/** Both in KiB. */
function memoryOf(text: string): Block['memory'] {
  const [total = Number.NaN, available = Number.NaN] = numbers(text)
  if (!(total > 0) || !(available >= 0)) return undefined
  return {totalBytes: total * 1024, availableBytes: Math.min(total, available) * 1024}
}

/** The last line of `df -Pk`; the names at its ends may hold anything. */
function diskOf(text: string): Block['disk'] {
  const [, total, , free] = /\s(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s+\d{1,3}%\s/.exec(text) ?? []
  if (!total || !free || Number(total) === 0) return undefined
  return {totalBytes: Number(total) * 1024, freeBytes: Number(free) * 1024}
}

/** Thousandths of a degree. */
function celsiusOf(text: string): number | undefined {
  if (!/^\d{1,7}$/.test(text)) return undefined
  const celsius = Number(text) / 1000
  return celsius > 0 && celsius < 200 ? celsius : undefined
}

/** total, used (bytes), busy (per cent), heat (thousandths of a degree), name. */
function amdOf(text: string): GpuReading[] {
  const [total = '', used = '', busy = '', heat = '', ...name] = text.split(',')
  return gpuOf(name.join(','), {
    ...{total, used, unit: 1, busy},
    celsius: celsiusOf(heat),
  })
}

/** name, total, used (MiB), busy (per cent), heat (degrees); what a card cannot tell is `[N/A]`. */
function nvidiaOf(text: string): GpuReading[] {
  const words = text.split(',').map((word) => word.trim())
  if (words.length < 5) return []
  const [total = '', used = '', busy = '', heat = ''] = words.slice(-4)
  const degrees = /^\d{1,3}$/.test(heat) ? Number(heat) : undefined
  const name = words.slice(0, -4).join(', ')
  return gpuOf(name, {total, used, unit: 2 ** 20, busy, celsius: degrees})
}

function gpuOf(
  name: string,
  told: {
    readonly total: string
    readonly used: string
    /** Bytes. */
    readonly unit: number
    readonly busy: string
    readonly celsius: number | undefined
  },
): GpuReading[] {
  const {total, used, unit, busy, celsius} = told
  const knows = isWhole(total) && isWhole(used) && Number(total) > 0
  const busyShare = /^\d{1,3}$/.test(busy.trim()) ? Math.min(1, Number(busy) / 100) : undefined
  // What tells neither is no card, but some other word.
  if (!knows && busyShare === undefined) return []
  return [
    {
      name: name.trim().slice(0, 80) || 'GPU',
      ...(knows ? {vramBytes: {total: Number(total) * unit, used: Number(used) * unit}} : {}),
      ...(busyShare === undefined ? {} : {busyShare}),
      ...(celsius === undefined ? {} : {celsius}),
    },
  ]
}
