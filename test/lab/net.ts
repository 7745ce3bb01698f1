/** What can go wrong on the cable between the operator and a host. Nothing of it can be seen or undone from the host. */
export interface LabNet {
  /** The cable out. */
  unplug(host: number): Promise<void>
  plug(host: number): Promise<void>
  /** One way: the host hears, but is not heard. */
  mute(host: number): Promise<void>
  unmute(host: number): Promise<void>
  /** Two hosts no longer reach each other; the operator reaches both. */
  part(a: number, b: number): Promise<void>
  rejoin(): Promise<void>
  /** Bytes per second towards the host. */
  throttle(host: number, bytesPerS: number): Promise<void>
  unthrottle(host: number): Promise<void>
  /** A TCP port of the host answers with RST (`refuse`) or not at all (`drop`). */
  closePort(host: number, port: number, how: 'refuse' | 'drop'): Promise<void>
  openPorts(host: number): Promise<void>
}

/** `run` runs a command inside the lab's network. */
export function labNet(run: (words: readonly string[]) => Promise<unknown>): LabNet {
  const nft = async (rules: string): Promise<void> => {
    await run(['nft', rules])
  }
  const go = async (...words: string[]): Promise<void> => {
    await run(words)
  }
  return {
    unplug: (host) => go('ip', 'link', 'set', `h${host}`, 'down'),
    plug: (host) => go('ip', 'link', 'set', `h${host}`, 'up'),
    mute: (host) =>
      nft(
        `add table netdev mute${host}; add chain netdev mute${host} f ` +
          `{ type filter hook ingress device "h${host}" priority 0; policy drop; }`,
      ),
    unmute: (host) => nft(`delete table netdev mute${host}`),
    part: (a, b) =>
      nft(
        'add table bridge part; add chain bridge part f { type filter hook forward priority 0; }; ' +
          `add rule bridge part f ip saddr 10.77.0.${10 + a} ip daddr 10.77.0.${10 + b} drop`,
      ),
    rejoin: () => nft('delete table bridge part'),
    throttle: (host, bytesPerS) =>
      go(
        ...['tc', 'qdisc', 'add', 'dev', `h${host}`, 'root', 'tbf'],
        ...['rate', `${bytesPerS * 8}bit`, 'burst', '16kb', 'latency', '400ms'],
      ),
    unthrottle: (host) => go('tc', 'qdisc', 'del', 'dev', `h${host}`, 'root'),
    closePort: (host, port, how) => {
      const verdict = how === 'drop' ? 'drop' : 'reject with tcp reset'
      return go(
        ...['ip', 'netns', 'exec', `h${host}`, 'nft'],
        'add table ip fault; add chain ip fault f { type filter hook input priority 0; }; ' +
          `add rule ip fault f tcp dport ${port} ${verdict}`,
      )
    },
    openPorts: (host) => go('ip', 'netns', 'exec', `h${host}`, 'nft', 'delete table ip fault'),
  }
}
