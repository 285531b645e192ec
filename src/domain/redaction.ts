/**
 * Strings that look like a credential: ours in both kinds, Google's keys and tokens (gemini-wire 1.3), JWTs, private keys (in
 * JSON too, whose escapes stay whole), what stands behind `key=` in a URL, and the form in which Google's own errors name a key (gemini-wire 3.2).
 */
const CREDENTIAL = new RegExp(
  [
    'plx_(?:pat_|ses_|link_)?[0-9A-Za-z]{20,}',
    'AIza[\\w-]{20,}',
    'AQ\\.[\\w-]{10,}',
    'ya29\\.[\\w.-]{10,}',
    // From the start of a word on (behind an escape of JSON, too): else a long one is looked through from each `eyJ` in it.
    '(?:(?<![\\w-])|(?<=\\\\[bfnrt]))eyJ[\\w-]{10,}\\.eyJ[\\w-]{10,}\\.[\\w-]{10,}',
    '-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:[\\w+/=\\s]|\\\\[nr])*',
    '(?<=[?&](?:key|access_token)=)[^&\\s"\\\\]+',
    '(?<=api_key:)[^\\s\'",}\\\\]+',
  ].join('|'),
  'g',
)

const PREFIXES = ['plx_', 'AIza', 'AQ.', 'ya29.', 'eyJ', '-----BEGIN'] as const

/** The text with everything that looks like a key or token replaced by its prefix and an ellipsis. */
export function redactCredentials(text: string): string {
  return text.replaceAll(CREDENTIAL, found => `${PREFIXES.find(prefix => found.startsWith(prefix)) ?? ''}…`)
}

/** A name out of a request as it may be repeated in a message: cut to 64 characters, without credentials. */
export function shownName(name: string): string {
  return redactCredentials(name).slice(0, 64)
}
