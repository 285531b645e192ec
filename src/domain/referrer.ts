/** Websites a key may be called from: allowedReferrers entries against the Referer or Origin of a call. */
import { formatAddress, parseAddress } from './address.ts'

/** What of a referrer counts: scheme and host in lower case, the path; never query and fragment. */
export interface ParsedReferrer {
  readonly scheme: string
  readonly host: string
  /** The port written, or else the scheme's own; null for a scheme that has none. */
  readonly port: number | null
  /** Starts with `/`; an origin without a path has the path `/`. */
  readonly path: string
}

/** One allowedReferrers entry, taken apart. Null stands for "any". */
interface Entry {
  readonly scheme: string | null
  readonly host: string
  readonly belowHost: boolean
  readonly port: number | null
  readonly path: string
  readonly belowPath: boolean
}

const HOST_CHARS_MAX = 253
const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['https', 443],
])
const PRINTABLE_ASCII = /^[!-~]*$/
const REFERRER =
  /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-f:.]*\]|[a-z0-9._-]+)(?::(\d{1,5}))?(\/[^?#\\]*)?(?:[?#].*)?$/i
const ENTRY =
  /^(?:([a-z][a-z0-9+.-]*):\/\/)?(\*\.)?(\[[0-9a-f:.]*\]|[^\s/?#:[\]@\\%*]+)(?::(\d{1,5}))?(\/[^\s?#\\]*)?(?:[?#].*)?$/i
const HOST_NAME = /^(?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?$/
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i

/**
 * A host in the one form in which hosts are compared; null if no browser would write it so. Numbers that merely stand
 * for an IPv4 address (`127.1`, `0x7f.1`) are refused, as the URL standard would turn them into another host.
 */
function parseHost(text: string): string | null {
  if (text.startsWith('[')) {
    const address = text.includes(':') ? parseAddress(text.slice(1, -1)) : null
    if (address === null) return null
    return address.family === 4 ? formatAddress(address) : `[${formatAddress(address)}]`
  }
  const host = text.toLowerCase()
  if (host.length > HOST_CHARS_MAX || !HOST_NAME.test(host)) return null
  return ENDS_IN_NUMBER.test(host) && parseAddress(host) === null ? null : host
}

/** An entry's host as browsers send it: an internationalised name in its ASCII form (UTS 46). */
function asciiHost(text: string): string | null {
  if (PRINTABLE_ASCII.test(text)) return text
  const url = `http://${text}`
  return URL.canParse(url) ? new URL(url).hostname : null
}

const isPort = (text: string | undefined) => text === undefined || Number(text) <= 65_535

/**
 * Reads a Referer or Origin header; null if a browser would not have sent it: no scheme, userinfo, an escaped or empty
 * host label, an unusual IP form, a backslash or dot segment in the path, anything outside printable ASCII.
 */
export function parseReferrer(text: string): ParsedReferrer | null {
  if (!PRINTABLE_ASCII.test(text)) return null
  const [, schemeText, hostText, portText, path = '/'] = REFERRER.exec(text) ?? []
  if (schemeText === undefined || hostText === undefined || !isPort(portText)) return null
  const host = parseHost(hostText)
  if (host === null || DOT_SEGMENT.test(path)) return null
  const scheme = schemeText.toLowerCase()
  const port = portText === undefined ? (DEFAULT_PORTS.get(scheme) ?? null) : Number(portText)
  return { scheme, host, port, path }
}

/** Takes an entry apart; null if it can match nothing, a `*` in any other place than the two allowed ones included. */
function parseEntry(pattern: string): Entry | null {
  if (!pattern.isWellFormed()) return null
  const [, scheme, below, hostText, portText, pathText = '/'] = ENTRY.exec(pattern) ?? []
  if (hostText === undefined || !isPort(portText)) return null
  const ascii = asciiHost(hostText)
  const host = ascii === null ? null : parseHost(ascii)
  const belowPath = pathText.endsWith('/*')
  const path = belowPath ? pathText.slice(0, -1) : pathText
  if (host === null || path.includes('*')) return null
  return {
    scheme: scheme?.toLowerCase() ?? null,
    host,
    belowHost: below !== undefined,
    port: portText === undefined ? null : Number(portText),
    path: path.replaceAll(/[^!-~]+/g, encodeURIComponent),
    belowPath,
  }
}

/** Whether scheme, port and path of the referrer are the entry's; the host has been found already. */
function fits(entry: Entry, referrer: ParsedReferrer): boolean {
  return (
    (entry.scheme === null || entry.scheme === referrer.scheme) &&
    (entry.port === null || entry.port === referrer.port) &&
    (entry.belowPath ? referrer.path.startsWith(entry.path) : referrer.path === entry.path)
  )
}

function anyFits(entries: readonly Entry[] | undefined, referrer: ParsedReferrer): boolean {
  if (entries === undefined) return false
  for (const entry of entries) if (fits(entry, referrer)) return true
  return false
}

/**
 * A test of many entries at once, as compileReferrer tests one. Entries are found by host, so that the cost of a call
 * grows with the labels of its host, not with the number of entries.
 */
export function compileReferrers(patterns: readonly string[]): (referrer: ParsedReferrer) => boolean {
  if (patterns.includes('*')) return () => true
  const hosts = new Map<string, Entry[]>()
  const parents = new Map<string, Entry[]>()
  for (const pattern of patterns) {
    const entry = parseEntry(pattern)
    if (entry === null) continue
    const index = entry.belowHost ? parents : hosts
    const entries = index.get(entry.host)
    if (entries === undefined) index.set(entry.host, [entry])
    else entries.push(entry)
  }
  return referrer => {
    const { host } = referrer
    if (anyFits(hosts.get(host), referrer)) return true
    if (parents.size === 0) return false
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      if (anyFits(parents.get(host.slice(dot + 1)), referrer)) return true
    }
    return false
  }
}

/**
 * A test for one allowedReferrers entry, `[scheme://]host[:port][/path]` (docs: add restrictions to API keys, websites).
 *
 * - No scheme: any scheme. No port: any port; a port given is the only one, where 80 and 443 may go unwritten.
 * - `*.example.com`: every host below example.com at any depth, not example.com itself.
 * - A path that ends in `/*` holds every path below it; any other path only itself. Query and fragment are ignored.
 * - `www.example.com`, with or without a last slash, holds the bare origin only (what browsers send across sites);
 *   `www.example.com/*` holds every page and the origin too.
 * - `*` alone holds every referrer that can be read. A `*` in any other place (`.*`, `.*com`, `my*.example.com`) is not
 *   refused when it is stored, as at Google, and matches nothing.
 *
 * Hosts compare without regard to case, paths with. `example.com.` is another host than `example.com`, as in browsers.
 */
export function compileReferrer(pattern: string): (referrer: ParsedReferrer) => boolean {
  return compileReferrers([pattern])
}
