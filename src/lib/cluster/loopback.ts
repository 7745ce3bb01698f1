const IPV4 = /^127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/

/**
 * True for an address that only programs of the same machine reach, also where IPv6 writes it for an IPv4 one. Of names
 * only `localhost` counts: nobody knows where others lead.
 */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || IPV4.test(address.replace(/^::ffff:/i, ''))
}
