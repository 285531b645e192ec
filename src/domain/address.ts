/** IP addresses and CIDR ranges, read strictly: what another program could read differently is not an address. */

/** Four 32-bit words, most significant first, as signed integers; IPv4 is held as `::ffff:a.b.c.d`. */
type Words = readonly [number, number, number, number]

/** One IP address. IPv4-mapped IPv6 and plain IPv4 are the same address of family 4. */
export interface Address {
  readonly family: 4 | 6
  readonly words: Words
}

/** A range of addresses of one family: the network with all host bits cleared, and the mask that clears them. */
export interface Cidr {
  readonly family: 4 | 6
  readonly words: Words
  readonly masks: Words
}

/** An address with the port it was written with, if any. */
export interface HostPort {
  readonly address: Address
  readonly port: number | null
}

const MAPPED = 0xffff
const IPV4_OFFSET_BITS = 96
const OCTET = /^(?:0|[1-9]\d{0,2})$/
const GROUP = /^[0-9a-f]{1,4}$/i
const PREFIX_LENGTH = /^(?:0|[1-9]\d{0,2})$/
const BRACKETED = /^\[([^\]]*)\](?::(\d{1,5}))?$/
const WITH_PORT = /^([^:]*):(\d{1,5})$/

/** The 32 bits of four decimal octets; null for octal, hexadecimal, short forms and leading zeros. */
function parseIpv4(text: string): number | null {
  const octets = text.split('.')
  if (octets.length !== 4) return null
  let word = 0
  for (const octet of octets) {
    if (!OCTET.test(octet) || Number(octet) > 255) return null
    word = (word << 8) | Number(octet)
  }
  return word
}

/** The 16-bit groups of one side of `::`; null if malformed. Only the last group of an address may be dotted. */
function parseGroups(text: string, mayEndDotted: boolean): number[] | null {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16))
      continue
    }
    const dotted = mayEndDotted && index === parts.length - 1 ? parseIpv4(part) : null
    if (dotted === null) return null
    groups.push(dotted >>> 16, dotted & 0xffff)
  }
  return groups
}

function parseIpv6(text: string): Words | null {
  const [left = '', right, ...more] = text.split('::')
  if (more.length > 0) return null
  const head = parseGroups(left, right === undefined)
  const tail = right === undefined ? [] : parseGroups(right, true)
  if (head === null || tail === null) return null
  const missing = 8 - head.length - tail.length
  if (right === undefined ? missing !== 0 : missing < 1) return null
  const groups = [...head, ...Array.from<number>({ length: missing }).fill(0), ...tail]
  const word = (index: number) => ((groups[index] ?? 0) << 16) | (groups[index + 1] ?? 0)
  return [word(0), word(2), word(4), word(6)]
}

/** The address as written, before IPv4-mapped IPv6 becomes IPv4. */
function parseWritten(text: string): Address | null {
  if (!text.includes(':')) {
    const word = parseIpv4(text)
    return word === null ? null : { family: 4, words: [0, 0, MAPPED, word] }
  }
  const zone = text.indexOf('%')
  if (zone === text.length - 1) return null
  const words = parseIpv6(zone === -1 ? text : text.slice(0, zone))
  return words === null ? null : { family: 6, words }
}

const isMapped = ([first, second, third]: Words) => first === 0 && second === 0 && third === MAPPED

/**
 * Reads one IPv4 or IPv6 address (RFC 4291 2.2); null if it is anything else. A zone id (RFC 4007) is dropped,
 * `::ffff:a.b.c.d` becomes the IPv4 address. No octal, hexadecimal or short IPv4 forms, no brackets, no port.
 */
export function parseAddress(text: string): Address | null {
  const written = parseWritten(text)
  return written !== null && isMapped(written.words) ? { family: 4, words: written.words } : written
}

const maskWord = (bits: number) => (bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits))

/**
 * Reads an address or a CIDR range (RFC 4632, RFC 4291 2.3); null if it is neither. A single address is a range of one,
 * host bits are cleared. A range within `::ffff:0:0/96` is the IPv4 range it maps.
 */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/')
  const written = parseWritten(slash === -1 ? text : text.slice(0, slash))
  if (written === null) return null
  const offset = written.family === 4 ? IPV4_OFFSET_BITS : 0
  const lengthText = slash === -1 ? String(128 - offset) : text.slice(slash + 1)
  if (!PREFIX_LENGTH.test(lengthText)) return null
  const length = Number(lengthText) + offset
  if (length > 128) return null
  const masks: Words = [maskWord(length), maskWord(length - 32), maskWord(length - 64), maskWord(length - 96)]
  const [first, second, third, fourth] = written.words
  const words: Words = [first & masks[0], second & masks[1], third & masks[2], fourth & masks[3]]
  return { family: length >= IPV4_OFFSET_BITS && isMapped(words) ? 4 : 6, words, masks }
}

/** Whether the range holds the address. Families never mix: `::/0` holds no IPv4 address. */
export function cidrContains(cidr: Cidr, address: Address): boolean {
  const { words, masks } = cidr
  return (
    cidr.family === address.family &&
    (address.words[3] & masks[3]) === words[3] &&
    (address.words[2] & masks[2]) === words[2] &&
    (address.words[1] & masks[1]) === words[1] &&
    (address.words[0] & masks[0]) === words[0]
  )
}

/** A test against many addresses and ranges at once. An entry that is neither holds nothing. */
export function compileAddresses(entries: readonly string[]): (address: Address) => boolean {
  const ranges = entries.map(parseCidr).filter(range => range !== null)
  return address => {
    for (const range of ranges) if (cidrContains(range, address)) return true
    return false
  }
}

/** Where the longest run of at least two zero groups starts and ends; the first one if several are as long. */
function longestZeroRun(groups: readonly number[]): { start: number; end: number } {
  let best = { start: -1, end: -1 }
  let start = 0
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > Math.max(1, best.end - best.start)) best = { start, end: index + 1 }
  }
  return best
}

/** The canonical text of an address: dotted decimal, or RFC 5952 for IPv6. */
export function formatAddress(address: Address): string {
  if (address.family === 4) {
    const word = address.words[3]
    return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`
  }
  const groups = address.words.flatMap(word => [word >>> 16, word & 0xffff])
  const { start, end } = longestZeroRun(groups)
  const texts = groups.map(group => group.toString(16))
  if (start === -1) return texts.join(':')
  return `${texts.slice(0, start).join(':')}::${texts.slice(end).join(':')}`
}

/**
 * Reads a node of a forwarded header (RFC 7239 section 6): an address, alone or with a port, IPv6 with a port in brackets.
 * Null for `unknown`, obfuscated names and ports, and ports above 65535. Quotes are the header's, not the node's.
 */
export function parseHostPort(text: string): HostPort | null {
  const match = BRACKETED.exec(text) ?? WITH_PORT.exec(text)
  const host = match?.[1] ?? text
  if (text.startsWith('[') && !host.includes(':')) return null
  const port = match?.[2] === undefined ? null : Number(match[2])
  const address = parseAddress(host)
  return address === null || (port !== null && port > 65_535) ? null : { address, port }
}
