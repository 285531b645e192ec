import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { parseCidr } from '../domain/address.ts'
import { clientAddress } from './client-address.ts'

const PROXIES = ['10.0.0.0/8', 'fd00::/8', '127.0.0.1'].map(parseCidr).filter(range => range !== null)

function request(peer: string | undefined, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  return { socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage
}

test.each([
  ['no proxy is trusted: the header is ignored', '203.0.113.9', '198.51.100.1', [], '203.0.113.9'],
  [
    'the peer is no trusted proxy: the header is ignored',
    '203.0.113.9',
    '198.51.100.1',
    PROXIES,
    '203.0.113.9',
  ],
  ['the peer is trusted: the last hop', '10.0.0.1', '198.51.100.1', PROXIES, '198.51.100.1'],
  [
    'what a client wrote itself stands on the left',
    '10.0.0.1',
    '1.1.1.1, 198.51.100.1',
    PROXIES,
    '198.51.100.1',
  ],
  [
    'trusted hops are walked over from the right',
    '10.0.0.1',
    '198.51.100.1, 10.2.3.4',
    PROXIES,
    '198.51.100.1',
  ],
  ['only trusted hops: the first of them', '10.0.0.1', '10.9.9.9, 10.2.3.4', PROXIES, '10.9.9.9'],
  ['garbage where it counts: no address', '10.0.0.1', 'unknown', PROXIES, ''],
  ['garbage left of the client does not matter', '10.0.0.1', 'x, 198.51.100.1', PROXIES, '198.51.100.1'],
  ['garbage among the trusted hops: no address', '10.0.0.1', '198.51.100.1, x, 10.0.0.2', PROXIES, ''],
  ['an empty header: no address', '10.0.0.1', '', PROXIES, ''],
  ['a port behind the address', '10.0.0.1', '198.51.100.1:5678', PROXIES, '198.51.100.1'],
  ['IPv6 with a port', '10.0.0.1', '[2001:db8::1]:443', PROXIES, '2001:db8::1'],
  ['an IPv4-mapped peer is its IPv4 address', '::ffff:10.0.0.1', '198.51.100.1', PROXIES, '198.51.100.1'],
  ['a peer that cannot be told', undefined, '198.51.100.1', PROXIES, ''],
  ['no header: the proxy itself', '10.0.0.1', undefined, PROXIES, '10.0.0.1'],
] as const)('%s', (_, peer, forwarded, proxies, expected) => {
  expect(clientAddress(request(peer, forwarded), proxies)).toBe(expected)
})
