/** Who goes first when requests have to wait, the first one first; a waiting one rises with time. */
export const PRIORITIES = ['high', 'normal', 'low'] as const
export type Priority = (typeof PRIORITIES)[number]

/** 0 for the one that goes first. */
export function priorityRank(priority: Priority): number {
  return PRIORITIES.indexOf(priority)
}
