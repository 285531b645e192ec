/** Sample strings for schemas: by format, by the property's name, or out of what was asked. */

interface Wish {
  /** JSON Schema's `format`; empty if none. */
  readonly format: string
  /** What the prompt asked. */
  readonly topic: string
  readonly nth: number
}

interface Sample {
  readonly text: string
  /** Whether `format` determined the text: then its length is not to be touched. */
  readonly formatted: boolean
}

const two = (number: number): string => String(number).padStart(2, '0')

const FORMATS: Readonly<Record<string, (nth: number) => string>> = {
  'date-time': nth => `2026-01-${two((nth % 28) + 1)}T09:30:00Z`,
  date: nth => `2026-01-${two((nth % 28) + 1)}`,
  time: nth => `${two(nth % 24)}:30:00Z`,
  duration: nth => `PT${nth + 1}H`,
  email: nth => `person${nth + 1}@example.com`,
  hostname: nth => `host${nth + 1}.example.com`,
  uri: nth => `https://example.com/${nth + 1}`,
  url: nth => `https://example.com/${nth + 1}`,
  ipv4: nth => `192.0.2.${(nth % 254) + 1}`,
  ipv6: nth => `2001:db8::${((nth % 65_535) + 1).toString(16)}`,
  uuid: nth => `00000000-0000-4000-8000-${nth.toString(16).padStart(12, '0')}`,
  byte: nth => Buffer.from(`sample ${nth + 1}`).toString('base64'),
}

/** By the last word of the property's name. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  name: ['Ada Lovelace', 'Grace Hopper', 'Alan Turing', 'Emmy Noether'],
  author: ['Ada Lovelace', 'Grace Hopper', 'Alan Turing', 'Emmy Noether'],
  city: ['Paris', 'Nairobi', 'Lima', 'Osaka'],
  location: ['Paris', 'Nairobi', 'Lima', 'Osaka'],
  country: ['France', 'Kenya', 'Peru', 'Japan'],
  language: ['English', 'French', 'Swahili', 'Japanese'],
  color: ['blue', 'green', 'amber', 'violet'],
  currency: ['EUR', 'USD', 'KES', 'JPY'],
  unit: ['celsius', 'fahrenheit'],
  sentiment: ['positive', 'neutral', 'negative'],
  email: ['person1@example.com', 'person2@example.com'],
  url: ['https://example.com/1', 'https://example.com/2'],
  phone: ['+1 555 0100', '+1 555 0101'],
  ingredient: ['flour', 'butter', 'sugar', 'salt'],
  ingredients: ['flour', 'butter', 'sugar', 'salt'],
}

const ECHOES = ['answer', 'query', 'question', 'reply', 'response', 'summary', 'text', 'message', 'content']
const PLACES = ['city', 'location', 'place']
const ECHO_LENGTH = 80

/** The same text for the same arguments. */
export function sampleText(name: string, wish: Wish): Sample {
  const { format, topic, nth } = wish
  const formatted = FORMATS[format]
  if (formatted !== undefined) return { text: formatted(nth), formatted: true }
  const word = /[A-Za-z][a-z]*$/.exec(name)?.[0].toLowerCase() ?? name
  // "the weather in Buenos Aires": a place the prompt names is a better argument than a sample.
  const place = PLACES.includes(word)
    ? /\b(?:in|for|at|of) (\p{Lu}[\p{L}'-]*(?: \p{Lu}[\p{L}'-]*)*)/u.exec(topic)?.[1]
    : undefined
  if (place !== undefined && nth === 0) return { text: place, formatted: false }
  const names = Object.hasOwn(NAMES, word) ? NAMES[word] : undefined
  const known = names?.[nth % names.length]
  if (known !== undefined) {
    const round = Math.floor(nth / (names?.length ?? 1))
    return { text: round === 0 ? known : `${known} ${round + 1}`, formatted: false }
  }
  const suffix = nth === 0 ? '' : ` ${nth + 1}`
  const echo = ECHOES.includes(word) && topic !== '' ? topic.slice(0, ECHO_LENGTH) : `sample ${name}`
  return { text: `${echo.toWellFormed()}${suffix}`, formatted: false }
}
