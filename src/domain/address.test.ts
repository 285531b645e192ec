import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cidrContains,
  compileAddresses,
  formatAddress,
  parseAddress,
  parseCidr,
  parseHostPort,
} from './address.ts'

function canonical(text: string): string | null {
  const address = parseAddress(text)
  return address === null ? null : formatAddress(address)
}

function contains(range: string, text: string): boolean {
  const cidr = parseCidr(range)
  const address = parseAddress(text)
  if (cidr === null || address === null) throw new Error(`unreadable: ${range} or ${text}`)
  return cidrContains(cidr, address)
}

const octets = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 })
const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
const groups = fc.array(group, { minLength: 8, maxLength: 8 })
const longIpv6 = (values: readonly number[]) => values.map(value => value.toString(16)).join(':')

describe('parseAddress', () => {
  it.each([
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['1.2.3.4', '1.2.3.4'],
    ['200.100.10.0', '200.100.10.0'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::A', '2001:db8::a'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['0001:0002:0003:0004:0005:0006:0007:0008', '1:2:3:4:5:6:7:8'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:0:0:3:4', '1::2:0:0:3:4'],
    ['0:0:1:2:3:4:5:6', '::1:2:3:4:5:6'],
    ['0:0:0:0:0:ffff:1:1', '0.1.0.1'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:255.255.255.255', '1:2:3:4:5:6:ffff:ffff'],
    ['fe80::1%eth0', 'fe80::1'],
    ['fe80::1%25:0', 'fe80::1'],
    ['::ffff:192.0.2.128', '192.0.2.128'],
    ['::ffff:c000:0280', '192.0.2.128'],
    ['::FFFF:192.0.2.128%eth0', '192.0.2.128'],
    ['::fffe:192.0.2.128', '::fffe:c000:280'],
    ['::1:ffff:192.0.2.128', '::1:ffff:c000:280'],
    ['1::ffff:192.0.2.128', '1::ffff:c000:280'],
    ['::192.0.2.128', '::c000:280'],
  ])('reads %s as %s', (text, expected) => {
    expect(canonical(text)).toBe(expected)
  })

  it.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '1.2.3.4.',
    '1.2.3.256',
    '1.2.3.999',
    '1.2.3.1000',
    '01.2.3.4',
    '1.2.3.04',
    '1.2.3.00',
    '0x1.2.3.4',
    '0x7f000001',
    '2130706433',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.-4',
    '+1.2.3.4',
    '1.2.3.4e0',
    '1.2.3.٤',
    '1.2.3.4%eth0',
    '1.2.3.4%a:b',
    '1.2.3.4:80',
    '1.2.3.4/32',
    ':',
    ':::',
    '::1::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1:2:3:4::5:6:7:8',
    '1:2:3:4:5:6:7:8:',
    ':1:2:3:4:5:6:7:8',
    ':1::2',
    '1::2:',
    '00001::',
    '12345::',
    'g::1',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1.2.3.4:1:2:3:4:5:6',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::1.2.3',
    '::1.2.3.256',
    '::01.2.3.4',
    'fe80::1%',
    '%eth0',
    '[::1]',
    '::1/128',
    'localhost',
    'unknown',
  ])('refuses %j', text => {
    expect(parseAddress(text)).toBeNull()
  })

  it('reads back every IPv4 address it writes', () => {
    fc.assert(fc.property(octets, bytes => canonical(bytes.join('.')) === bytes.join('.')))
  })

  it('agrees with the URL standard on every IPv6 address', () => {
    const text = fc.oneof(
      groups.map(longIpv6),
      fc.tuple(groups, octets).map(([high, low]) => `${longIpv6(high.slice(0, 6))}:${low.join('.')}`),
      fc
        .tuple(groups, fc.nat(8), fc.nat(8))
        .map(([all, cut, width]) => `${longIpv6(all.slice(0, cut))}::${longIpv6(all.slice(cut + width))}`),
      fc.string({ unit: fc.constantFrom(':', '0', '1', 'f', 'F', '.', '25'), maxLength: 24 }),
    )
    fc.assert(
      fc.property(text, value => {
        if (!value.includes(':')) return
        const url = `http://[${value}]/`
        const expected = URL.canParse(url) ? new URL(url).hostname : null
        const address = parseAddress(value)
        expect(address === null).toBe(expected === null)
        if (address?.family === 6) expect(`[${formatAddress(address)}]`).toBe(expected)
        if (address?.family === 4) expect(expected).toContain('[::ffff:')
      }),
      { numRuns: 2000 },
    )
  })

  it('holds IPv4-mapped IPv6 and IPv4 to be one address', () => {
    fc.assert(
      fc.property(octets, bytes => {
        expect(parseAddress(`::ffff:${bytes.join('.')}`)).toEqual(parseAddress(bytes.join('.')))
      }),
    )
  })
})

describe('parseCidr', () => {
  it.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '9.255.255.255', false],
    ['203.0.113.5', '203.0.113.5', true],
    ['203.0.113.5', '203.0.113.4', false],
    ['203.0.113.5/32', '203.0.113.5', true],
    ['203.0.113.5/32', '203.0.113.6', false],
    ['203.0.113.77/24', '203.0.113.1', true],
    ['203.0.113.128/25', '203.0.113.127', false],
    ['203.0.113.128/25', '203.0.113.200', true],
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '::ffff:127.0.0.1', true],
    ['0.0.0.0/0', '255.1.2.3', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '::1', true],
    ['::/0', '1.2.3.4', false],
    ['::/1', '8000::', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['2001:db8:0:1::/64', '2001:db8:0:1:ffff::', true],
    ['2001:db8:0:1::/64', '2001:db8:0:2::', false],
    ['2001:db8::1:0:0/96', '2001:db8::1:ffff:ffff', true],
    ['2001:db8::1:0:0/96', '2001:db8::2:0:0', false],
    ['2001:db8::1', '2001:db8::1', true],
    ['2001:db8::1', '2001:db8::2', false],
    ['2001:db8::1/128', '2001:db8::1', true],
    ['fe80::1%eth0/64', 'fe80::2%eth1', true],
    ['::ffff:10.0.0.0/104', '10.9.9.9', true],
    ['::ffff:10.0.0.0/104', '11.0.0.0', false],
    ['::ffff:10.0.0.1', '10.0.0.1', true],
    ['::ffff:0:0/96', '8.8.8.8', true],
    ['::ffff:0:0/95', '8.8.8.8', false],
    ['::ffff:0:0/95', '::fffe:1:1', true],
    ['64:ff9b::/96', '64:ff9b::1.2.3.4', true],
  ])('%s holds %s: %s', (range, address, expected) => {
    expect(contains(range, address)).toBe(expected)
  })

  it.each([
    '',
    '/',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/00',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '10.0.0.0/8.0',
    '10.0.0.0/1e1',
    '10.0.0.0/ 8',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '10/8',
    '10.0.0.0/255.0.0.0',
    '::/129',
    '::/1000',
    '::/0x10',
    '*',
    'example.com',
  ])('refuses %j', text => {
    expect(parseCidr(text)).toBeNull()
  })

  const numberOf = (values: readonly number[], bits: bigint) =>
    values.reduce((sum, value) => (sum << bits) | BigInt(value), 0n)

  it('agrees with integer arithmetic on IPv4', () => {
    fc.assert(
      fc.property(octets, octets, fc.nat(32), fc.nat(32), (network, other, length, near) => {
        // An address that shares a random number of leading bits, so that both answers are frequent.
        const shift = BigInt(32 - near)
        const value =
          ((numberOf(network, 8n) >> shift) << shift) | (numberOf(other, 8n) & ((1n << shift) - 1n))
        const text = [24n, 16n, 8n, 0n].map(bits => (value >> bits) & 255n).join('.')
        const host = BigInt(32 - length)
        expect(contains(`${network.join('.')}/${length}`, text)).toBe(
          value >> host === numberOf(network, 8n) >> host,
        )
      }),
    )
  })

  it('agrees with integer arithmetic on IPv6', () => {
    fc.assert(
      fc.property(groups, groups, fc.nat(128), fc.nat(128), (random, other, length, near) => {
        const network = [0x2001, ...random.slice(1)]
        const shift = BigInt(128 - near)
        const value =
          ((numberOf(network, 16n) >> shift) << shift) | (numberOf(other, 16n) & ((1n << shift) - 1n))
        const text = Array.from({ length: 8 }, (_, index) =>
          ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
        ).join(':')
        fc.pre(parseAddress(text)?.family === 6)
        const host = BigInt(128 - length)
        expect(contains(`${longIpv6(network)}/${length}`, text)).toBe(
          value >> host === numberOf(network, 16n) >> host,
        )
      }),
    )
  })
})

describe('compileAddresses', () => {
  it.each([
    ['192.0.2.1', true],
    ['198.51.100.99', true],
    ['2001:db8::9', true],
    ['192.0.2.2', false],
    ['2001:db9::9', false],
  ])('tests %s against every entry: %s', (text, expected) => {
    const matches = compileAddresses(['nonsense', '192.0.2.1', '198.51.100.0/24', '2001:db8::/32'])
    const address = parseAddress(text)
    expect(address !== null && matches(address)).toBe(expected)
  })

  it('holds nothing without entries', () => {
    expect(compileAddresses([])({ family: 4, words: [0, 0, 0xffff, 1] })).toBe(false)
  })
})

describe('parseHostPort', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1', null],
    ['192.0.2.1:8080', '192.0.2.1', 8080],
    ['192.0.2.1:0', '192.0.2.1', 0],
    ['192.0.2.1:65535', '192.0.2.1', 65_535],
    ['::1', '::1', null],
    ['2001:db8::1:80', '2001:db8::1:80', null],
    ['[::1]', '::1', null],
    ['[2001:db8::1]:443', '2001:db8::1', 443],
    ['[::1]:8', '::1', 8],
    ['[fe80::1%eth0]:443', 'fe80::1', 443],
    ['[::ffff:192.0.2.1]:443', '192.0.2.1', 443],
  ])('reads %s', (text, address, port) => {
    const read = parseHostPort(text)
    expect(read && { address: formatAddress(read.address), port: read.port }).toEqual({ address, port })
  })

  it.each([
    '',
    'unknown',
    '_hidden',
    '192.0.2.1:_port',
    '192.0.2.1:',
    '192.0.2.1:65536',
    '192.0.2.1:123456',
    '192.0.2.1:000080',
    '[::1]:000080',
    '192.0.2.1:80:80',
    '192.0.2.1:80 ',
    ':80',
    'example.com:80',
    '[192.0.2.1]',
    '[192.0.2.1]:80',
    '[]',
    '[::1',
    '::1]',
    '[::1]80',
    '[::1]:',
    '[::1]:65536',
    '[::1]:80x',
    'x[::1]:80',
    '[[::1]]',
    '"[::1]:80"',
    '192.0.2.1, 192.0.2.2',
  ])('refuses %j', text => {
    expect(parseHostPort(text)).toBeNull()
  })
})
