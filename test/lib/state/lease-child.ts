import {type NodeUse, takeLease} from '../../../src/lib/state/leases.ts'

/**
 * Run as a process: waits for a line, takes a lease on the node with the fewest requests of those named,
 * prints which, and holds it until its input ends.
 */
const [dir = '', ...nodes] = process.argv.slice(2)
const fewest = (use: ReadonlyMap<string, NodeUse>) =>
  [...use].sort(([, a], [, b]) => a.inFlight - b.inFlight)[0]?.[0]

process.stdout.write('ready\n')
process.stdin.once('data', () => {
  const lease = takeLease(dir, nodes, fewest)
  process.stdout.write(`${lease?.node}\n`)
  process.stdin.on('end', () => lease?.release())
})
