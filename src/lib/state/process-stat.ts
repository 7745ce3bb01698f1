/**
 * When a process started, in ticks since the boot, from the text of its /proc/PID/stat: what tells it from
 * a later one of the same number. Undefined for a dead one that nobody has waited for.
 */
export function startInStat(stat: string): string | undefined {
  // The name, in parentheses, may hold anything; state is the first field after it, start the 20th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}
