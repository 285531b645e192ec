import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError } from '../domain/error.ts'
import { parseTarget } from './target.ts'

function pathOf(target: string): string | null {
  try {
    return parseTarget(target).path
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'REQUEST_TARGET_REFUSED') return null
    throw error
  }
}

describe('parseTarget', () => {
  it.each([
    ['/', '/'],
    ['/v1beta/models/m:generateContent?alt=sse', '/v1beta/models/m:generateContent'],
    ['/v1/a%20b'.replace('%20', '%7E'), '/v1/a~b'],
    ['/v1/models/m%3AgenerateContent', '/v1/models/m:generateContent'],
    ['/v1/%C3%A9', '/v1/é'],
    ['/v1/.well-known', '/v1/.well-known'],
    ['/v1/...', '/v1/...'],
    ['/v1/a..b', '/v1/a..b'],
    ['/v1/a?b=//../%2f', '/v1/a'],
    ['/v1/a?', '/v1/a'],
  ])('takes %s', (target, path) => {
    expect(pathOf(target)).toBe(path)
  })

  it.each([
    ['nothing', ''],
    ['the asterisk form', '*'],
    ['the absolute form', 'http://evil/x'],
    ['the authority form', 'evil:443'],
    ['another host', '//evil/x'],
    ['another host behind an escape', '/%2f/evil'],
    ['an empty segment', '/v1//models'],
    ['a dot segment', '/v1/./models'],
    ['two dots', '/v1beta/../admin'],
    ['two dots at the end', '/v1beta/..'],
    ['a dot at the end', '/v1beta/.'],
    ['escaped dots', '/v1beta/%2e%2e/admin'],
    ['half escaped dots', '/v1beta/.%2E/admin'],
    ['an escaped slash', '/v1/a%2fb'],
    ['an escaped slash, upper case', '/v1/a%2Fb'],
    ['a backslash', '/v1/..\\admin'],
    ['an escaped backslash', '/v1/a%5cb'],
    ['an escape in an escape', '/v1/a%252fb'],
    ['NUL', '/v1/a%00'],
    ['a line break', '/v1/a%0d%0ab'],
    ['a space', '/v1/a%20b'],
    ['DEL', '/v1/a%7f'],
    ['a fragment', '/v1/a#b'],
    ['an escaped fragment', '/v1/a%23b'],
    ['an escaped question mark', '/v1/a%3fb'],
    ['an escape that is none', '/v1/a%zz'],
    ['an escape cut short', '/v1/a%2'],
    ['an escape that is no UTF-8', '/v1/a%ff'],
    ['an overlong slash', '/v1/a%c0%afb'],
  ])('refuses %s', (_, target) => {
    expect(pathOf(target)).toBeNull()
  })

  it('keeps the key out of the path', () => {
    const { path, query } = parseTarget('/v1/models?key=plx_secret&key=b')
    expect(path).toBe('/v1/models')
    expect(query.getAll('key')).toEqual(['plx_secret', 'b'])
  })

  it('what it takes is what a WHATWG parser would route to, and has no dot segment or hidden separator', () => {
    const token = fc.oneof(
      fc.constantFrom(
        '/',
        '//',
        '.',
        '..',
        '%2e',
        '%2E',
        '%2f',
        '%5c',
        '\\',
        '%25',
        '%',
        '%00',
        '%3a',
        ':',
        ';',
        '@',
      ),
      fc.constantFrom(
        'a',
        'v1',
        'models',
        '?',
        '#',
        '&',
        '=',
        '%C3%A9',
        '%c0',
        '~',
        '%7e',
        '\t',
        ' ',
        '%09',
        'http:',
      ),
    )
    const target = fc.oneof(
      fc.array(token, { maxLength: 8 }).map(tokens => `/${tokens.join('')}`),
      fc.array(token, { maxLength: 8 }).map(tokens => tokens.join('')),
      fc.webPath().map(path => path || '/'),
      fc.string().map(text => `/${text}`),
    )
    fc.assert(
      fc.property(target, text => {
        const path = pathOf(text)
        if (path === null) return
        const url = new URL(`http://pollux.example${text}`)
        expect(url.hostname).toBe('pollux.example')
        expect(decodeURIComponent(url.pathname)).toBe(path)
        expect(path.split('/').slice(1, -1)).not.toContain('')
        expect(path.split('/').some(segment => segment === '.' || segment === '..')).toBe(false)
        // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
        expect(path).not.toMatch(/[\\%?#\u0000-\u0020\u007f]/)
      }),
      { numRuns: 2_000 },
    )
  })
})
