/** Strings that look like a credential: ours in both kinds, and Google's standard and authorization keys. */
const CREDENTIAL = /plx_(?:pat_)?[0-9A-Za-z]{20,}|AIza[\w-]{30,}|AQ\.[\w-]{20,}|ya29\.[\w.-]{20,}/g

/** The text with everything that looks like a key or token replaced by its prefix and an ellipsis. */
export function redactCredentials(text: string): string {
  return text.replaceAll(CREDENTIAL, found => `${found.startsWith('plx_') ? 'plx_' : found.slice(0, 3)}…`)
}

/** A name out of a request as it may be repeated in a message: cut to 64 characters, without credentials. */
export function shownName(name: string): string {
  return redactCredentials(name).slice(0, 64)
}
