import type {Reporter} from '../cluster/report.ts'
import {roundSize} from '../cluster/size.ts'
import {inMemory} from '../desired/budget.ts'
import {OllamaxError} from '../errors.ts'
import type {NodeMemory} from './memory-of.ts'

export interface MemoryQuestion {
  readonly node: string
  readonly model: string
  /** Of its files, as far as they are known. */
  readonly sizeBytes: number
  /** Undefined: not known, and then it is taken for enough. */
  readonly memory: NodeMemory | undefined
  /** Only warn. */
  readonly force: boolean
  readonly report: Reporter
}

/**
 * Before a model is brought to a node: NO_SPACE where it can never run there, being larger than all memory of the machine
 * and its GPUs. A warning where it hardly can, or where a GPU does not tell what it has.
 */
export function checkMemory(question: MemoryQuestion): void {
  const {node, model, sizeBytes, memory, force, report} = question
  if (!memory || inMemory(sizeBytes) <= memory.totalBytes) return
  const {totalBytes, more} = memory
  const has = `${node} has ${roundSize(totalBytes)} of memory, GPUs that tell theirs included`
  const cannot = sizeBytes > totalBytes
  if (!cannot || more || force) {
    const why = cannot ? 'are more' : 'leave too little to work with'
    const text = `${has}, and the ${roundSize(sizeBytes)} of ${model} ${why}`
    report({kind: 'warn', subject: node, text})
    return
  }
  throw new OllamaxError(
    'NO_SPACE',
    `${has}: ${model} with its ${roundSize(sizeBytes)} can never run there`,
    {
      suggestions: ['choose a smaller model or another node', 'bring it all the same: --force'],
      details: {node, model, neededBytes: sizeBytes, totalBytes},
    },
  )
}
