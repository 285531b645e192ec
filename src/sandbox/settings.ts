/** What of generationConfig shapes an answer. */
import { booleanField, integerField, invalidArgument, messageField, textField, textsField } from './fields.ts'
import type { Message } from './fields.ts'

/** The settings of generationConfig that shape an answer. */
export interface Settings {
  readonly candidateCount: number
  /** Null: the model's own limit. */
  readonly maxOutputTokens: number | null
  readonly stopSequences: readonly string[]
  readonly mimeType: string
  /** The schema the answer must obey, of either kind. */
  readonly schema: Message | null
  readonly modalities: readonly string[]
  readonly thinkingBudget: number | null
  readonly thinkingLevel: string | null
  readonly includeThoughts: boolean
}

const CANDIDATES_MAX = 8

/** Throws 400 for values that Google refuses. */
export function parseSettings(config: Message): Settings {
  const candidateCount = integerField(config, 'candidateCount') ?? 1
  if (candidateCount < 1 || candidateCount > CANDIDATES_MAX) {
    throw invalidArgument(
      `* GenerateContentRequest.generation_config.candidate_count: candidate_count must be between 1 and ${CANDIDATES_MAX}.\n`,
    )
  }
  const maxOutputTokens = integerField(config, 'maxOutputTokens') ?? null
  if (maxOutputTokens !== null && maxOutputTokens < 1) {
    throw invalidArgument(
      '* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive.\n',
    )
  }
  const schema = messageField(config, 'responseSchema') ?? messageField(config, 'responseJsonSchema') ?? null
  const mimeType = textField(config, 'responseMimeType') ?? 'text/plain'
  if (schema !== null && mimeType === 'text/plain') {
    throw invalidArgument('A response schema needs response_mime_type application/json or text/x.enum.')
  }
  const thinking = messageField(config, 'thinkingConfig') ?? {}
  const thinkingBudget = integerField(thinking, 'thinkingBudget') ?? null
  const thinkingLevel = textField(thinking, 'thinkingLevel')?.toUpperCase() ?? null
  if (thinkingBudget !== null && thinkingLevel !== null) {
    throw invalidArgument('You can only set only one of thinking budget and thinking level.')
  }
  return {
    candidateCount,
    maxOutputTokens,
    stopSequences: textsField(config, 'stopSequences').filter(stop => stop !== ''),
    mimeType,
    schema,
    modalities: textsField(config, 'responseModalities').map(modality => modality.toUpperCase()),
    thinkingBudget,
    thinkingLevel,
    includeThoughts: booleanField(thinking, 'includeThoughts'),
  }
}
