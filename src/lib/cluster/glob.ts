/**
 * `*` is any text, `?` any one character. By hand and not by a pattern of regular expressions: those
 * take exponential time on a glob of many stars.
 */
export function fitsGlob(glob: string, name: string): boolean {
  let [g, n, star, retry] = [0, 0, -1, 0]
  while (n < name.length) {
    if (glob[g] === '*') {
      star = g++
      retry = n
    } else if (glob[g] === '?' || glob[g] === name[n]) {
      g++
      n++
    } else if (star >= 0) {
      // The last star takes one character more; an earlier one never needs to.
      g = star + 1
      n = ++retry
    } else return false
  }
  return /^\**$/.test(glob.slice(g))
}
