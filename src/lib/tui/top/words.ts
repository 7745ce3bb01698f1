import type {LiveNode} from '../../cluster/live.ts'
import {roundDuration, roundSize} from '../../cluster/size.ts'
import type {Tone} from './theme.ts'

// How figures are written in the picture. What nobody knows is `?`, never a zero.

export const UNKNOWN = '?'

export const percent = (share: number | undefined) =>
  share === undefined || !Number.isFinite(share) ? UNKNOWN : `${Math.round(share * 100)}%`

export const rate = (perSecond: number | undefined) =>
  perSecond === undefined || !Number.isFinite(perSecond)
    ? UNKNOWN
    : perSecond < 99.95
      ? perSecond.toFixed(1)
      : String(Math.round(perSecond))

export const duration = (ms: number | undefined) =>
  ms === undefined || !Number.isFinite(ms) ? UNKNOWN : roundDuration(ms)

export const bytes = (count: number | undefined) =>
  count === undefined ? UNKNOWN : roundSize(count)

export const celsius = (degrees: number | undefined) =>
  degrees === undefined ? UNKNOWN : `${Math.round(degrees)}°`

/** `20.1/24GiB`: what is used of what is there. */
export function usedOf(used: number | undefined, total: number | undefined): string {
  if (used === undefined || total === undefined) return UNKNOWN
  return `${roundSize(used).replace(/[A-Za-z]+$/, sameUnit(used, total))}/${roundSize(total)}`
}

const unitOf = (count: number) => /[A-Za-z]+$/.exec(roundSize(count))?.[0] ?? ''
const sameUnit = (used: number, total: number) =>
  unitOf(used) === unitOf(total) ? '' : unitOf(used)

/** Time of day as the terminal's user sees it. */
export function clockTime(ms: number): string {
  const at = new Date(ms)
  if (Number.isNaN(at.getTime())) return UNKNOWN
  return [at.getHours(), at.getMinutes(), at.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

/** VRAM of all GPUs together; undefined: no GPU told. */
export function vramOf({machine}: LiveNode): {used: number; total: number} | undefined {
  const told = machine?.gpus.flatMap(({vramBytes}) => vramBytes ?? []) ?? []
  if (told.length === 0) return undefined
  return told.reduce((sum, one) => ({used: sum.used + one.used, total: sum.total + one.total}))
}

/** Mean of the GPUs that tell how busy they are. */
export function gpuBusyOf({machine}: LiveNode): number | undefined {
  const told = machine?.gpus.flatMap(({busyShare}) => busyShare ?? []) ?? []
  return told.length === 0 ? undefined : told.reduce((sum, one) => sum + one, 0) / told.length
}

/** The hottest of processor and GPUs. */
export function hottestOf({machine}: LiveNode): number | undefined {
  const told = [machine?.celsius, ...(machine?.gpus.map((gpu) => gpu.celsius) ?? [])]
  const known = told.filter((degrees) => degrees !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

export const memoryUsed = ({machine}: LiveNode): number | undefined =>
  machine?.memory && machine.memory.totalBytes - machine.memory.availableBytes

export const diskUsed = ({machine}: LiveNode): number | undefined =>
  machine?.disk && machine.disk.totalBytes - machine.disk.freeBytes

export interface Condition {
  readonly text: string
  readonly tone: Tone
  /** Why it is worth a look; absent: it is not. */
  readonly why?: string
  /** What is most urgent has the highest. */
  readonly weight: number
}

const HOT_CELSIUS = 88
const SCARCE = 0.05

/** A node's state in a word, and what is wrong with it, if anything is. */
export function conditionOf(node: LiveNode): Condition {
  const drained = node.drained ? ',drained' : ''
  if (node.state === 'down') {
    const why = node.reason ?? 'it does not answer'
    return {text: `down${drained}`, tone: 'bad', why, weight: node.drained ? 3 : 6}
  }
  if (node.state === 'unread')
    return {text: `unread${drained}`, tone: 'dim', why: 'nobody has looked yet', weight: 1}
  if (node.breaker === 'open' || node.breaker === 'half-open') {
    const why =
      node.breaker === 'open'
        ? 'failed of late: no requests for a while'
        : 'one request tries it again'
    return {text: `resting${drained}`, tone: 'warn', why, weight: 5}
  }
  const strain = strainOf(node)
  if (strain) return {text: `up${drained}`, tone: 'warn', why: strain, weight: 4}
  if (node.drained)
    return {text: 'up,drained', tone: 'warn', why: 'drained: no new request goes there', weight: 2}
  return {text: 'up', tone: 'good', weight: 0}
}

function strainOf(node: LiveNode): string | undefined {
  const {machine} = node
  const hottest = hottestOf(node)
  if (hottest !== undefined && hottest >= HOT_CELSIUS) return `hot: ${celsius(hottest)}`
  if (machine?.disk && machine.disk.freeBytes < machine.disk.totalBytes * SCARCE)
    return `disk nearly full: ${bytes(machine.disk.freeBytes)} free`
  if (machine?.memory && machine.memory.availableBytes < machine.memory.totalBytes * SCARCE)
    return `memory nearly full: ${bytes(machine.memory.availableBytes)} left`
  return undefined
}
