/** The words of an answer: friendly, useful, and always the same for the same request. */
import type { Model } from './models.ts'
import { contentText, functionResponses, question } from './request.ts'
import type { GenerateRequest } from './request.ts'

const ECHO_LENGTH = 160
const WORDS_MAX = 20_000
const VARIANTS = ['', 'Put differently: ', 'Or, in other words: ', 'Seen from another side: ']

const FILLER = [
  'The twins Castor and Pollux share one night sky.',
  'Castor is six stars that look like one.',
  'Pollux is the brighter of the two and a little orange.',
  'Sailors took them for a good sign.',
  'Every word here was counted, and none was guessed.',
]

function quoted(text: string): string {
  const characters = Array.from(text.replace(/\s+/g, ' '))
  const shown =
    characters.length > ECHO_LENGTH ? `${characters.slice(0, ECHO_LENGTH).join('')}...` : characters.join('')
  return `"${shown}"`
}

/** The answer of candidate number `index`. */
export function answerText(request: GenerateRequest, model: Model, index: number): string {
  const variant = index === 0 ? '' : (VARIANTS[index] ?? `Variant ${index + 1}: `)
  const system = contentText(request.systemInstruction)
  const following = system === '' ? '' : ` I keep to the instruction ${quoted(system)}.`
  return `${variant}${said(request, model)}${received(request)}${following}`
}

function said(request: GenerateRequest, model: Model): string {
  const responses = functionResponses(request)
  if (responses.length > 0) {
    const results = responses.map(({ name, response }) => `${name} returned ${JSON.stringify(response)}`)
    return `Thank you, I have what I need: ${results.join(', and ')}.`
  }
  const asked = question(request)
  const words = /\b(\d{1,5}) words\b/i.exec(asked)?.[1]
  if (words !== undefined) return fillerWords(Math.min(Number(words), WORDS_MAX))
  const wanted =
    /^(?:say|repeat|reply with|answer with|respond with|echo)\b(?: exactly)?[:\s]+["']?(.{1,80}?)["']?[.!]?$/i.exec(
      asked,
    )?.[1]
  if (wanted !== undefined && !/^(hello|hi|hey)\b/i.test(wanted)) return wanted
  if (/^(please )?(say )?(hello|hi|hey|good (morning|evening|day))\b/i.test(asked)) {
    return `Hello! I am the Pollux sandbox, playing ${model.modelVersion}. It is good to hear from you; ask me anything.`
  }
  const turns = request.contents.filter(content => content.role !== 'model').length
  const opening = turns > 1 ? `In turn ${turns} of our conversation you said` : 'You said'
  return asked === ''
    ? `I am the Pollux sandbox, playing ${model.modelVersion}, and read no text in your request.`
    : `${opening}: ${quoted(asked)}. I am the Pollux sandbox, playing ${model.modelVersion}: no model was asked, but the shape of this reply, its stream and its token counts are those of a real one.`
}

/** What else came with the question. */
function received(request: GenerateRequest): string {
  const media = request.contents.at(-1)?.parts.filter(part => part.kind === 'media') ?? []
  if (media.length === 0) return ''
  const names = media.map(({ mimeType, bytes }) => `${mimeType} of ${bytes} bytes`)
  return ` I also received ${names.join(', ')}.`
}

/** So many words, in sentences. */
function fillerWords(count: number): string {
  const words = FILLER.join(' ').split(' ')
  return Array.from({ length: count }, (_, index) => words[index % words.length]).join(' ')
}

/** So many characters of ASCII. */
export function fillerCharacters(count: number): string {
  const sentence = `${FILLER.join(' ')} `
  return sentence.repeat(Math.ceil(count / sentence.length)).slice(0, count)
}

/** What a model that shows its thoughts would show. */
export function thoughtsText(request: GenerateRequest): string {
  return `**Reading the request**\n\nThe user asks ${quoted(question(request))}. I consider what is wanted, and how to say it briefly.`
}
