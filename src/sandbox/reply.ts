/** GenerateContentResponse: whole, or as the chunks of a stream. */
import type { AnswerPart } from './draft.ts'
import type { Message } from './fields.ts'
import type { Candidate, Generation } from './generate.ts'
import { sumByModality, textTokens, totalTokens } from './tokens.ts'
import type { ModalityTokens } from './tokens.ts'

/** usageMetadata as Google writes it: what is zero is left out. */
function usageMetadata(generation: Generation, candidates: readonly ModalityTokens[]): Message {
  const { promptTokens, toolUsePromptTokens, thoughtsTokens, serviceTier } = generation
  const promptTokenCount = totalTokens(promptTokens)
  const candidatesTokenCount = totalTokens(candidates)
  const counts = {
    promptTokenCount,
    candidatesTokenCount,
    totalTokenCount: promptTokenCount + toolUsePromptTokens + candidatesTokenCount + thoughtsTokens,
    promptTokensDetails: promptTokens,
    candidatesTokensDetails: sumByModality(candidates),
    toolUsePromptTokenCount: toolUsePromptTokens,
    toolUsePromptTokensDetails: sumByModality([{ modality: 'TEXT', tokenCount: toolUsePromptTokens }]),
    thoughtsTokenCount: thoughtsTokens,
    serviceTier,
  }
  return Object.fromEntries(
    Object.entries(counts).filter(([, value]) => value !== 0 && (!Array.isArray(value) || value.length > 0)),
  )
}

function content(parts: readonly Message[]): Message {
  return parts.length > 0 ? { parts, role: 'model' } : { role: 'model' }
}

function identity({ modelVersion, responseId }: Generation): Message {
  return { modelVersion, responseId }
}

/** The whole reply of generateContent. */
export function wholeReply(generation: Generation): Message {
  const billed = generation.candidates.flatMap(candidate => candidate.parts)
  const candidates = generation.candidates.map(({ parts, finishReason, metadata }, index) => ({
    content: content(parts.map(({ part }) => part)),
    finishReason,
    index,
    ...metadata,
  }))
  return { candidates, usageMetadata: usageMetadata(generation, billed), ...identity(generation) }
}

const PIECE_CHARACTERS = 20
const PIECES_MIN = 3
const PIECES_MAX = 32

/**
 * The chunks of streamGenerateContent, candidate after candidate. Each carries the usage so far; the last one's is the
 * bill, the same as of the whole reply.
 */
export function* chunksOf(generation: Generation): Generator<Message> {
  const billed: ModalityTokens[] = []
  for (const [index, candidate] of generation.candidates.entries()) {
    const pieces = candidate.parts.flatMap(split)
    for (const [at, piece] of pieces.entries()) {
      billed.push(piece)
      yield chunk(
        generation,
        billed,
        at === pieces.length - 1
          ? { content: content([piece.part]), ...ending(candidate), index, ...candidate.metadata }
          : { content: content([piece.part]), index },
      )
    }
    if (pieces.length === 0) {
      yield chunk(generation, billed, {
        content: content([]),
        ...ending(candidate),
        index,
        ...candidate.metadata,
      })
    }
  }
}

function ending({ finishReason }: Candidate): Message {
  return { finishReason }
}

function chunk(generation: Generation, billed: readonly ModalityTokens[], candidate: Message): Message {
  return {
    candidates: [candidate],
    usageMetadata: usageMetadata(generation, billed),
    ...identity(generation),
  }
}

/** A text in pieces of whole characters; their counts add up to the text's. Other parts stay whole. */
function split(whole: AnswerPart): readonly AnswerPart[] {
  const words = whole.part['text']
  if (typeof words !== 'string') return [whole]
  const characters = Array.from(words)
  const wanted = Math.max(PIECES_MIN, Math.ceil(characters.length / PIECE_CHARACTERS))
  const size = Math.max(1, Math.ceil(characters.length / Math.min(PIECES_MAX, wanted)))
  const pieces: AnswerPart[] = []
  let said = ''
  let counted = 0
  for (let start = 0; start < characters.length; start += size) {
    const piece = characters.slice(start, start + size).join('')
    said += piece
    const tokenCount = whole.tokenCount === 0 ? 0 : textTokens(said) - counted
    counted += tokenCount
    pieces.push({ ...whole, part: { ...whole.part, text: piece }, tokenCount })
  }
  return pieces
}
