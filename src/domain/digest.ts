import { hash } from 'node:crypto'

/** The SHA-256 of a key string in lower-case hexadecimal: the only form in which one is stored or looked up. */
export function digestOf(keyString: string): string {
  return hash('sha256', keyString, 'hex')
}
