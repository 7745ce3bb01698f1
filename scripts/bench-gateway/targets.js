// Everything that can be driven, started in front of the nodes when a work wants it.
import {join} from 'node:path'
import {startSshd} from '../../test/support/sshd.ts'
import {directNodes, parallel, startGateway} from './gateway.js'
import {listenersOf, pin, untilServing} from './machine.js'
import {startPeer} from './peers.js'

/** What the machine must have for each target that is started here. */
export const toolsOf = {nginx: ['nginx'], haproxy: ['haproxy'], 'over-ssh': ['sshd', 'ssh-keygen']}

/** Told to a gateway whose nodes serve whatever comes at once, as the stand-ins do unless a work says otherwise. */
const all = 4096
/** Our gateways in front of all nodes -> the slots that each is told its nodes have. */
const slotsTold = {ollamax: all, 'ollamax-24': 24, 'ollamax-4': 4, 'ollamax-0': 0}

/**
 * Starts the wanted targets, each confined to the core: a map from name to {name, urls, pids, key}. Those of `given`
 * (pairs of name and URL) run already; whatever else is started gets its files in dir. `closers` gets what is to be
 * closed besides the processes.
 */
export async function startTargets({processes, closers, nodes, wanted, given, keys, dir, core}) {
  const targets = new Map()
  const add = (name, urls, pids, key) =>
    targets.set(name, {name, urls, pids, ...(key === undefined ? {} : {key})})
  for (const [name, url] of given) {
    await untilServing(undefined, `${url}/api/version`, keys[name])
    const pids = listenersOf(Number(new URL(url).port))
    await pin(pids, core)
    add(name, [url], pids, keys[name])
  }
  const gateway = async (name, entries, env, words) => {
    const home = join(dir, name)
    const one = await startGateway(processes, {home, entries, core, env, words})
    add(name, [one.url], [one.pid], one.key)
  }
  const first = nodes.nodes[0]
  for (const name of wanted) {
    if (targets.has(name)) continue
    if (name in slotsTold) await gateway(name, directNodes(nodes.nodes, slotsTold[name]))
    else if (name === 'workers-2')
      await gateway(name, directNodes(nodes.nodes, all), {}, ['--workers', '2'])
    else if (name === 'over-tcp') await gateway(name, directNodes([first], all))
    else if (name === 'over-ssh') {
      const sshd = await startSshd()
      closers.push(() => sshd.stop())
      const {target, env} = sshd
      const ollama = {port: Number(new URL(first).port), ...parallel(all)}
      await gateway(name, [{name: 'n1', ssh: target, hostKey: sshd.fingerprint(), ollama}], env)
    } else if (name === 'direct') add(name, nodes.nodes, [])
    else {
      const peer = await startPeer(processes, name, nodes.nodes, dir, core)
      add(name, [peer.url], [peer.pid])
    }
  }
  return targets
}
