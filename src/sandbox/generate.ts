/** From a request to a finished answer and its bill, before a byte is sent. */
import { draftParts, fillerPart, thoughtPart } from './draft.ts'
import type { AnswerPart } from './draft.ts'
import { invalidArgument } from './fields.ts'
import type { Message } from './fields.ts'
import { refuseOverlong } from './models.ts'
import type { Model } from './models.ts'
import type { GenerateRequest } from './request.ts'
import { parseSettings } from './settings.ts'
import type { Settings } from './settings.ts'
import { startWithin, textTokens, totalTokens } from './tokens.ts'
import type { ModalityTokens } from './tokens.ts'
import { toolWork } from './tools.ts'

export interface Candidate {
  readonly parts: readonly AnswerPart[]
  readonly finishReason: 'STOP' | 'MAX_TOKENS'
  /** groundingMetadata and the like: stands beside the content. */
  readonly metadata: Message
}

export interface Generation {
  readonly candidates: readonly Candidate[]
  readonly promptTokens: readonly ModalityTokens[]
  readonly toolUsePromptTokens: number
  /** Of all candidates together. */
  readonly thoughtsTokens: number
  readonly serviceTier: string
  readonly modelVersion: string
  readonly responseId: string
}

/** The same for the same arguments. Throws 400 for what the model cannot do. */
export function generate(request: GenerateRequest, model: Model, responseId: string): Generation {
  refuseOverlong(request.promptTokens, model)
  const settings = parseSettings(request.generationConfig)
  refuseModalities(settings, model)
  const outputMax = Math.min(settings.maxOutputTokens ?? model.outputTokenLimit, model.outputTokenLimit)
  const thoughts = thoughtsTokens(request, settings, { model, outputMax })
  const tokensMax = outputMax - thoughts
  const work = toolWork(request)
  const shown = settings.includeThoughts && thoughts > 0 ? [thoughtPart(request, thoughts)] : []
  const candidates = Array.from({ length: settings.candidateCount }, (_, index): Candidate => {
    const metadata = index === 0 ? work.metadata : {}
    if (model.behaviour === 'max') {
      return { parts: [...shown, fillerPart(tokensMax)], finishReason: 'MAX_TOKENS', metadata }
    }
    const drafts = draftParts({ request, settings, model, index, work, tokensMax })
    const { parts, finishReason } = fit(drafts, tokensMax, settings.stopSequences)
    return { parts: [...shown, ...parts], finishReason, metadata }
  })
  return {
    candidates,
    promptTokens: request.promptTokens,
    toolUsePromptTokens: work.promptTokens,
    thoughtsTokens: thoughts * settings.candidateCount,
    serviceTier: request.serviceTier,
    modelVersion: model.modelVersion,
    responseId,
  }
}

/** The parts up to the first stop sequence or the last token allowed, whichever comes first. */
function fit(
  drafts: readonly AnswerPart[],
  tokensMax: number,
  stopSequences: readonly string[],
): Pick<Candidate, 'parts' | 'finishReason'> {
  const parts: AnswerPart[] = []
  let left = tokensMax
  for (const draft of drafts) {
    const words = draft.part['text']
    if (typeof words !== 'string') {
      if (draft.tokenCount > left) return { parts, finishReason: 'MAX_TOKENS' }
      parts.push(draft)
      left -= draft.tokenCount
      continue
    }
    const stops = stopSequences.map(stop => words.indexOf(stop)).filter(at => at >= 0)
    const wanted = words.slice(0, Math.min(words.length, ...stops))
    const kept = startWithin(wanted, left)
    const tokenCount = textTokens(kept)
    if (kept !== '') parts.push({ ...draft, part: { ...draft.part, text: kept }, tokenCount })
    if (kept.length < wanted.length) return { parts, finishReason: 'MAX_TOKENS' }
    if (stops.length > 0) return { parts, finishReason: 'STOP' }
    left -= tokenCount
  }
  return { parts, finishReason: 'STOP' }
}

function refuseModalities(settings: Settings, model: Model): void {
  const refused = settings.modalities.find(modality => !model.output.some(able => able === modality))
  if (refused === undefined) return
  throw invalidArgument(
    `The requested combination of response modalities (${settings.modalities.join(', ')}) is not supported by the ` +
      `model. models/${model.id} accepts the following combination of response modalities:\n* ${model.output.join(', ')}\n`,
  )
}

const LEVEL_TOKENS: Readonly<Record<string, number>> = { MINIMAL: 8, LOW: 32, MEDIUM: 64, HIGH: 128 }
const BUDGET_TOKENS_MAX = 128
const PROMPT_PER_THOUGHT = 16

/**
 * What one candidate thinks. A budget or level that was asked for may use up all of maxOutputTokens, as at Google;
 * thinking that nobody asked for leaves half of it to the answer.
 */
function thoughtsTokens(
  request: GenerateRequest,
  settings: Settings,
  { model, outputMax }: { readonly model: Model; readonly outputMax: number },
): number {
  const { thinkingBudget: budget, thinkingLevel: level } = settings
  if (model.thoughtsDefault === null || budget === 0) return 0
  const levelTokens = level === null ? undefined : LEVEL_TOKENS[level]
  const asked = levelTokens !== undefined || (budget !== null && budget > 0)
  const base = levelTokens ?? (asked ? BUDGET_TOKENS_MAX : model.thoughtsDefault)
  if (base === 0) return 0
  const natural = base + Math.floor(totalTokens(request.promptTokens) / PROMPT_PER_THOUGHT)
  const room = asked ? outputMax : Math.floor(outputMax / 2)
  return Math.min(natural, room, budget !== null && budget > 0 ? budget : natural)
}
