/** Master keys: 32 bytes each, from the environment or from the data folder. The first seals; the others only open. */
import { createHmac, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface MasterKey {
  /** 16 hexadecimal digits that tell keys apart and tell nothing about them. */
  readonly id: string
  readonly bytes: Buffer
}

const KEY_BYTES = 32
const FILE = 'master-key'

/** The master keys that a node holds. */
export class KeyRing {
  readonly #keys: readonly [MasterKey, ...MasterKey[]]

  /** Each in base64, as `openssl rand -base64 32` makes them, the one to seal under first. Throws RangeError. */
  constructor(texts: readonly string[]) {
    const [first, ...rest] = texts.map(masterKeyOf)
    if (first === undefined) throw new RangeError('there is no master key')
    this.#keys = [first, ...rest]
  }

  /** The one that new secrets are to be sealed under. */
  get first(): MasterKey {
    return this.#keys[0]
  }

  find(id: string): MasterKey | null {
    return this.#keys.find(key => key.id === id) ?? null
  }
}

/** Whether a text is one master key. */
export function isMasterKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(text) && Buffer.from(text, 'base64').length === KEY_BYTES
}

/** The keys of a folder, a line each; where there is no file yet, one with a new key is made (0600). Throws as node:fs does. */
export function masterKeysIn(dataDir: string): readonly string[] {
  const path = join(dataDir, FILE)
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    writeFileSync(path, `${randomBytes(KEY_BYTES).toString('base64')}\n`, {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  return readFileSync(path, 'utf8')
    .split(/\s+/)
    .filter(line => line !== '')
}

function masterKeyOf(text: string): MasterKey {
  if (!isMasterKey(text)) throw new RangeError('a master key is not 32 bytes in base64')
  const bytes = Buffer.from(text, 'base64')
  const id = createHmac('sha256', bytes).update('pollux master key id').digest('hex').slice(0, 16)
  return { id, bytes }
}
