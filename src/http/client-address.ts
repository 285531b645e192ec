import type { IncomingMessage } from 'node:http'
import { type Cidr, cidrContains, formatAddress, parseAddress, parseHostPort } from '../domain/address.ts'

/**
 * The address a request came from. The socket's peer, unless that is a trusted proxy: then `X-Forwarded-For` is walked
 * from the right to the first hop that is none (RFC 7239 section 8.1 on why never from the left). Empty when the list
 * cannot be read, so that no address restriction is met by garbage.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: readonly Cidr[]): string {
  const peer = request.socket.remoteAddress ?? ''
  if (trustedProxies.length === 0) return canonical(peer)
  if (!isTrusted(peer, trustedProxies)) return canonical(peer)
  const forwarded = request.headers['x-forwarded-for']
  if (forwarded === undefined) return canonical(peer)
  const hops = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded).split(',')
  for (let index = hops.length - 1; index >= 0; index--) {
    const hop = canonical((hops[index] ?? '').trim())
    if (hop === '') return ''
    if (index === 0 || !isTrusted(hop, trustedProxies)) return hop
  }
  return ''
}

const canonicalPeers = new Map<string, string>()

/** Canonical text of an address; remembered, since few distinct peers connect. */
function canonical(text: string): string {
  const known = canonicalPeers.get(text)
  if (known !== undefined) return known
  // Some proxies write the port too.
  const parsed = parseHostPort(text)
  const formatted = parsed === null ? '' : formatAddress(parsed.address)
  if (canonicalPeers.size > 10_000) canonicalPeers.clear()
  canonicalPeers.set(text, formatted)
  return formatted
}

function isTrusted(text: string, trustedProxies: readonly Cidr[]): boolean {
  const address = parseAddress(text)
  return address !== null && trustedProxies.some(range => cidrContains(range, address))
}
