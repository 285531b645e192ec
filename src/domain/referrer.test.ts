import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileReferrer, compileReferrers, parseReferrer } from './referrer.ts'

function matches(pattern: string, text: string): boolean {
  const referrer = parseReferrer(text)
  return referrer !== null && compileReferrer(pattern)(referrer)
}

describe('parseReferrer', () => {
  it.each([
    ['https://example.com', { scheme: 'https', host: 'example.com', port: 443, path: '/' }],
    ['https://example.com/', { scheme: 'https', host: 'example.com', port: 443, path: '/' }],
    ['HTTP://EXAMPLE.com/A/b', { scheme: 'http', host: 'example.com', port: 80, path: '/A/b' }],
    ['http://example.com:8080/x?y=/z', { scheme: 'http', host: 'example.com', port: 8080, path: '/x' }],
    ['https://example.com?y#z', { scheme: 'https', host: 'example.com', port: 443, path: '/' }],
    ['https://example.com/x#/y?z', { scheme: 'https', host: 'example.com', port: 443, path: '/x' }],
    ['https://example.com/x?a\\b', { scheme: 'https', host: 'example.com', port: 443, path: '/x' }],
    ['https://example.com:443/', { scheme: 'https', host: 'example.com', port: 443, path: '/' }],
    ['https://example.com:65535', { scheme: 'https', host: 'example.com', port: 65_535, path: '/' }],
    ['https://a_b-c.example.com.', { scheme: 'https', host: 'a_b-c.example.com.', port: 443, path: '/' }],
    ['https://xn--mnchen-3ya.de/', { scheme: 'https', host: 'xn--mnchen-3ya.de', port: 443, path: '/' }],
    ['http://web2', { scheme: 'http', host: 'web2', port: 80, path: '/' }],
    ['http://a.web2/', { scheme: 'http', host: 'a.web2', port: 80, path: '/' }],
    ['https://192.0.2.1/', { scheme: 'https', host: '192.0.2.1', port: 443, path: '/' }],
    ['http://localhost:3000', { scheme: 'http', host: 'localhost', port: 3000, path: '/' }],
    ['http://[2001:DB8::0:1]:81/a', { scheme: 'http', host: '[2001:db8::1]', port: 81, path: '/a' }],
    ['http://[::ffff:192.0.2.1]', { scheme: 'http', host: '192.0.2.1', port: 80, path: '/' }],
    [
      'https://example.com/a..b/.c/...',
      { scheme: 'https', host: 'example.com', port: 443, path: '/a..b/.c/...' },
    ],
    ['https://example.com/?a/../b', { scheme: 'https', host: 'example.com', port: 443, path: '/' }],
    [
      'chrome-extension://abcdef/p.html',
      { scheme: 'chrome-extension', host: 'abcdef', port: null, path: '/p.html' },
    ],
    ['app+v1.0://host:9', { scheme: 'app+v1.0', host: 'host', port: 9, path: '/' }],
  ])('reads %s', (text, expected) => {
    expect(parseReferrer(text)).toEqual(expected)
  })

  it.each([
    ['nothing', ''],
    ['a host alone', 'example.com'],
    ['an opaque origin', 'null'],
    ['no authority', 'https:example.com'],
    ['one slash', 'https:/example.com'],
    ['scheme-relative', '//example.com/'],
    ['no scheme name', '://example.com/'],
    ['a scheme that starts with a digit', '1https://example.com/'],
    ['text before the scheme', ' https://example.com/'],
    ['no host', 'https://'],
    ['no host but a path', 'https:///example.com'],
    ['userinfo', 'https://good.com@evil.com'],
    ['userinfo with a password', 'https://good.com:443@evil.com/'],
    ['empty userinfo', 'https://@good.com'],
    ['an escaped dot in the host', 'https://good.com%2eevil'],
    ['a backslash after the host', 'https://good.com\\@evil.com'],
    ['a backslash in the path', 'https://good.com/a\\..\\b'],
    ['an empty label', 'https://a..example.com/'],
    ['a leading dot', 'https://.example.com/'],
    ['two trailing dots', 'https://example.com../'],
    ['a lone dot', 'https://./'],
    ['a wildcard', 'https://*.example.com/'],
    ['a space', 'https://example.com/a b'],
    ['a tab in the host', 'https://exa\tmple.com/'],
    ['a newline at the end', 'https://example.com/\n'],
    ['non-ASCII in the host', 'https://münchen.de/'],
    ['a Cyrillic look-alike', 'https://gооd.com/'],
    ['a full-width dot', 'https://good．com/'],
    ['non-ASCII in the path', 'https://example.com/ü'],
    ['a control character', 'https://example.com/\u007f'],
    ['an empty port', 'https://example.com:/'],
    ['a port out of range', 'https://example.com:65536/'],
    ['a port with a sign', 'https://example.com:+443/'],
    ['a port of six digits', 'https://example.com:000443/'],
    ['two ports', 'https://example.com:443:443/'],
    ['a short IPv4', 'http://127.1/'],
    ['an IPv4 as one number', 'http://2130706433/'],
    ['a hexadecimal IPv4', 'http://0x7f.0.0.1/'],
    ['a hexadecimal zero', 'http://127.0.0.0x0/'],
    ['a hexadecimal last part', 'http://127.0.0.0x1/'],
    ['an empty hexadecimal part', 'http://127.0.0.0x/'],
    ['an octal IPv4', 'http://0177.0.0.1/'],
    ['an IPv4 out of range', 'http://127.0.0.256/'],
    ['an IPv4 with a trailing dot', 'http://127.0.0.1./'],
    ['a name that ends in a number', 'http://example.1/'],
    ['IPv4 in brackets', 'http://[127.0.0.1]/'],
    ['empty brackets', 'http://[]/'],
    ['a malformed IPv6', 'http://[::1::]/'],
    ['a zone', 'http://[fe80::1%25eth0]/'],
    ['an unclosed bracket', 'http://[::1/'],
    ['IPv6 without brackets', 'http://::1/'],
    ['text after the bracket', 'http://[::1]x/'],
    ['a parent segment', 'https://example.com/a/../b'],
    ['a parent segment at the end', 'https://example.com/a/..'],
    ['a dot segment', 'https://example.com/./b'],
    ['an escaped parent segment', 'https://example.com/a/%2e%2E/b'],
    ['a half escaped parent segment', 'https://example.com/a/.%2e'],
    ['a host of 254 characters', `https://${'a.'.repeat(126)}aa/`],
  ])('refuses %s', (_, text) => {
    expect(parseReferrer(text)).toBeNull()
  })

  it('reads a host of 253 characters', () => {
    expect(parseReferrer(`https://${'a.'.repeat(126)}a/`)?.host).toHaveLength(253)
  })

  it('never disagrees with the URL standard about what it reads', () => {
    const piece = fc.constantFrom(
      'a',
      'b.',
      '.',
      'example.com',
      '1',
      '127.0.0.1',
      '0x',
      '[::1]',
      '@',
      ':',
      '443',
      '80',
      '/',
      '//',
      '..',
      '%2e',
      '\\',
      '?',
      '#',
      '*',
      '-',
      '_',
      'A',
      '%',
      ' ',
    )
    const text = fc
      .tuple(fc.constantFrom('http://', 'https://', 'HTTPS://'), fc.array(piece, { maxLength: 8 }))
      .map(([scheme, pieces]) => scheme + pieces.join(''))
    fc.assert(
      fc.property(text, value => {
        const referrer = parseReferrer(value)
        if (referrer === null) return
        const url = new URL(value)
        const port = url.port === '' ? { 'http:': 80, 'https:': 443 }[url.protocol] : Number(url.port)
        expect(url.username + url.password).toBe('')
        expect({ ...referrer, scheme: `${referrer.scheme}:` }).toEqual({
          scheme: url.protocol,
          host: url.hostname,
          port,
          path: url.pathname,
        })
      }),
      { numRuns: 5000 },
    )
  })

  it('reads every address a browser serialises', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), text => {
        expect(parseReferrer(new URL(text).href)).not.toBeNull()
      }),
    )
  })
})

describe('compileReferrer', () => {
  it.each([
    // *.example.com/*: every host below at any depth, any page; the naked domain needs its own entry.
    ['*.example.com/*', 'https://a.example.com/', true],
    ['*.example.com/*', 'https://a.example.com/x/y', true],
    ['*.example.com/*', 'https://a.b.c.example.com/', true],
    ['*.example.com/*', 'https://example.com/', false],
    ['*.example.com/*', 'https://badexample.com/', false],
    ['*.example.com/*', 'https://example.com.evil.com/', false],
    ['*.example.com/*', 'https://a.example.com.evil.com/', false],
    ['*.example.com/*', 'https://evil.com/.example.com/', false],
    ['*.example.com/*', 'https://evil.com/?a.example.com/', false],
    ['*.example.com/*', 'https://evil.com#a.example.com/', false],
    ['*.example.com/*', 'https://a.example.com@evil.com/', false],
    ['*.example.com/*', 'https://.example.com/', false],
    ['*.example.com/*', 'https://A.Example.COM/', true],
    ['*.example.com', 'https://a.example.com', true],
    ['*.example.com', 'https://a.example.com/x', false],
    ['*.a.example.com/*', 'https://b.example.com/', false],
    ['*.com/*', 'https://example.com/', true],
    ['*.com/*', 'https://com/', false],
    ['*.xn--mnchen-3ya.de', 'https://a.xn--mnchen-3ya.de', true],
    // example.com/*: this host, any page, and the origin alone.
    ['example.com/*', 'https://example.com', true],
    ['example.com/*', 'https://example.com/', true],
    ['example.com/*', 'https://example.com/x?y#z', true],
    ['example.com/*', 'http://example.com/x', true],
    ['example.com/*', 'https://www.example.com/', false],
    ['example.com/*', 'https://example.com.evil.com/', false],
    ['example.com/*', 'https://good.com@example.com/', false],
    ['good.com/*', 'https://good.com.evil.com', false],
    ['good.com/*', 'https://good.com@evil.com', false],
    ['good.com/*', 'https://good.com%2eevil', false],
    ['good.com/*', 'https://good.com./', false],
    ['good.com./*', 'https://good.com./', true],
    ['good.com./*', 'https://good.com/', false],
    ['good.com/*', 'https://gооd.com/', false],
    ['good.com/*', 'https://xn--gd-jmcb.com/', false],
    // www.example.com and www.example.com/* are different entries.
    ['www.example.com', 'https://www.example.com', true],
    ['www.example.com', 'https://www.example.com/', true],
    ['www.example.com', 'https://www.example.com/?q', true],
    ['www.example.com', 'https://www.example.com/page', false],
    ['www.example.com/', 'https://www.example.com', true],
    ['www.example.com/', 'https://www.example.com/page', false],
    ['www.example.com/*', 'https://www.example.com/page', true],
    // No scheme: any scheme.
    ['example.com', 'http://example.com', true],
    ['example.com', 'chrome-extension://example.com', true],
    ['https://example.com', 'https://example.com', true],
    ['https://example.com', 'http://example.com', false],
    ['http://example.com', 'https://example.com', false],
    ['HTTPS://EXAMPLE.com', 'https://example.com', true],
    ['https://*.example.com/*', 'https://a.example.com/b', true],
    ['https://*.example.com/*', 'http://a.example.com/b', false],
    ['chrome-extension://abcdef/*', 'chrome-extension://abcdef/p.html', true],
    // No port: any port; a port given: only that one, the scheme's own may go unwritten.
    ['example.com', 'https://example.com:8443', true],
    ['example.com:8443', 'https://example.com:8443', true],
    ['example.com:8443', 'https://example.com', false],
    ['example.com:8', 'http://example.com:8', true],
    ['example.com:000080', 'http://example.com', false],
    ['example.com:8443', 'https://example.com:8444', false],
    ['example.com:443', 'https://example.com', true],
    ['example.com:443', 'http://example.com', false],
    ['example.com:80', 'http://example.com/', true],
    ['https://example.com:443/*', 'https://example.com/x', true],
    ['https://example.com', 'https://example.com:443', true],
    ['example.com:443', 'app://example.com', false],
    ['*.example.com:8080/*', 'http://a.example.com:8080/x', true],
    ['*.example.com:8080/*', 'http://a.example.com/x', false],
    ['localhost:3000/*', 'http://localhost:3000/', true],
    // An exact path is only that path; /* everything below it.
    ['example.com/docs', 'https://example.com/docs', true],
    ['example.com/docs', 'https://example.com/docs?x=1#y', true],
    ['example.com/docs', 'https://example.com/docs/', false],
    ['example.com/docs', 'https://example.com/docs/a', false],
    ['example.com/docs', 'https://example.com/Docs', false],
    ['example.com/docs', 'https://example.com/', false],
    ['example.com/docs', 'https://example.com', false],
    ['example.com/docs/*', 'https://example.com/docs/a/b', true],
    ['example.com/docs/*', 'https://example.com/docs/', true],
    ['example.com/docs/*', 'https://example.com/docs', false],
    ['example.com/docs/*', 'https://example.com/docsx/', false],
    ['example.com/docs/*', 'https://example.com/docs/../admin', false],
    ['example.com/docs/*', 'https://example.com/x/docs/', false],
    // Query and fragment of an entry are ignored as well.
    ['example.com/docs?x=1', 'https://example.com/docs', true],
    ['example.com/docs#*', 'https://example.com/docs?y', true],
    ['example.com?x', 'https://example.com/', true],
    // Internationalised names and paths are stored as people write them, and sent in ASCII.
    ['münchen.de/*', 'https://xn--mnchen-3ya.de/', true],
    ['*.MÜNCHEN.de/*', 'https://a.xn--mnchen-3ya.de/', true],
    ['xn--mnchen-3ya.de/*', 'https://xn--mnchen-3ya.de/', true],
    ['münchen.de/*', 'https://munchen.de/', false],
    ['example.com/straße', 'https://example.com/stra%C3%9Fe', true],
    ['example.com/straße/*', 'https://example.com/stra%C3%9Fe/1', true],
    ['example.com/straße', 'https://example.com/strasse', false],
    // Addresses.
    ['192.0.2.1/*', 'http://192.0.2.1/', true],
    ['192.0.2.1/*', 'http://192.0.2.10/', false],
    ['http://[::1]:8080/*', 'http://[0:0::1]:8080/x', true],
    ['[0::1]', 'http://[::1]', true],
    ['[::1]', 'http://[::2]', false],
    ['*.0.2.1/*', 'http://192.0.2.1/', false],
    ['*.2.1/*', 'http://192.0.2.1/', false],
    // * alone.
    ['*', 'https://anything.example:1/x', true],
    ['*', 'app://x', true],
    ['*', 'null', false],
    ['*', '', false],
  ])('%s matches %s: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  it.each([
    '.*',
    '.*com',
    '.*com/*',
    'mysub*.example.com',
    'mysub*.example.com/*',
    'www.*.com',
    'example.*',
    '**',
    '*.*',
    '*.',
    '*.*.example.com',
    '*/*',
    '*example.com',
    '*://example.com/*',
    'https://*',
    'https://*/*',
    'example.com*',
    'example.com/*x',
    'example.com/*/x',
    'example.com/x*',
    'example.com/*/*',
    'example.com:*',
    'example.com:',
    'example.com:65536',
    'example.com:80:80',
    'example.com:x',
    ':80',
    '/x',
    '',
    ' ',
    'https://',
    'https:///x',
    'exa mple.com',
    'example.com/a b',
    'a@example.com',
    'ü@example.com',
    'example.com%2e',
    'ü%2eexample.com',
    'a..example.com',
    '.example.com',
    'example.com\\x',
    'ü..example.com',
    '[example.com]',
    '[192.0.2.1]',
    '127.1',
    '＊.example.com',
    'ü＠example.com',
    'example.com/\ud800',
    '\ud800.com',
  ])('%j is kept and matches nothing', pattern => {
    const texts = [
      'https://example.com',
      'https://example.com/x',
      'https://example.com/*x',
      'https://example.com/*/x',
      'https://example.com/x*',
      'https://mysub1.example.com',
      'https://a.b.example.com/a%20b',
      'https://www.example.com/',
      'https://com/',
      'https://127.0.0.1/',
      'https://192.0.2.1/',
      'https://example.com:80/x',
      'https://example.com/%EF%BF%BD',
    ]
    expect(texts.filter(text => parseReferrer(text) === null)).toEqual([])
    expect(texts.filter(text => matches(pattern, text))).toEqual([])
  })

  it('agrees with the URL standard', () => {
    const label = fc.constantFrom('a', 'b', 'example', 'com', 'www')
    const host = fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join('.'))
    const scheme = fc.constantFrom('http', 'https')
    const port = fc.constantFrom('', ':80', ':443', ':8080')
    const path = fc.constantFrom('', '/', '/a', '/a/', '/a/b', '/b')
    const entry = fc.record({
      scheme: fc.option(scheme),
      below: fc.boolean(),
      host,
      port,
      path: fc.oneof(path, fc.constantFrom('/*', '/a/*')),
    })
    const page = fc.tuple(scheme, host, port, path, fc.constantFrom('', '?q=/a', '#/a'))
    fc.assert(
      fc.property(entry, page, (e, [pageScheme, pageHost, pagePort, pagePath, rest]) => {
        const text = `${pageScheme}://${pageHost}${pagePort}${pagePath}${rest}`
        const pattern = `${e.scheme === null ? '' : `${e.scheme}://`}${e.below ? '*.' : ''}${e.host}${e.port}${e.path}`
        const url = new URL(text)
        const urlPort = url.port === '' ? { 'http:': '80', 'https:': '443' }[url.protocol] : url.port
        const expected =
          (e.scheme === null || `${e.scheme}:` === url.protocol) &&
          (e.below ? url.hostname.endsWith(`.${e.host}`) : url.hostname === e.host) &&
          (e.port === '' || e.port === `:${urlPort}`) &&
          (e.path.endsWith('*')
            ? url.pathname.startsWith(e.path.slice(0, -1))
            : url.pathname === (e.path || '/'))
        expect(matches(pattern, text)).toBe(expected)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('compileReferrers', () => {
  const patterns = [
    'https://a.example/*',
    'a.example:8080',
    '*.b.example/*',
    'https://*.b.example:1/only',
    '*.deep.c.example/*',
    '.*com',
    'd.example/x',
    'd.example/y',
  ]

  it.each([
    ['https://a.example/x', true],
    ['http://a.example:8080', true],
    ['http://a.example', false],
    ['https://x.b.example', true],
    ['https://c.example', false],
    ['https://x.y.deep.c.example', true],
    ['https://deep.c.example', false],
    ['https://d.example/x', true],
    ['https://d.example/y', true],
    ['https://d.example/z', false],
  ])('tests %s against all entries: %s', (text, expected) => {
    const referrer = parseReferrer(text)
    expect(referrer !== null && compileReferrers(patterns)(referrer)).toBe(expected)
  })

  it('is true exactly where one of its entries is', () => {
    const texts = [
      'https://a.example/x',
      'https://x.b.example:1/only',
      'http://d.example/y',
      'app://q.deep.c.example',
    ]
    for (const text of texts) {
      const referrer = parseReferrer(text)
      if (referrer === null) throw new Error(text)
      expect(compileReferrers(patterns)(referrer)).toBe(patterns.some(one => compileReferrer(one)(referrer)))
    }
  })

  it('matches everything if one of its entries is *, nothing without entries', () => {
    const referrer = { scheme: 'https', host: 'x.y', port: 443, path: '/' }
    expect(compileReferrers(['a.example', '*'])(referrer)).toBe(true)
    expect(compileReferrers([])(referrer)).toBe(false)
  })
})
