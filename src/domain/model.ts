/** Model ids: what is one, which a key may call, and what comes out of them unasked. */
import { redactCredentials } from './redaction.ts'

const MODEL_ID_CHARS_MAX = 128
const MODEL_ID = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

// A name's meaning is its words: `tts` counts in `gemini-3.8-flash-tts`, not inside another word. Video is pictures and sound.
const IMAGE_WORDS = /(?<![a-z])(?:image|imagen|nano-banana|veo|omni)(?![a-z])/i
const AUDIO_WORDS = /(?<![a-z])(?:tts|audio|lyria|live|veo|omni)(?![a-z])/i
const TRANSCRIBES = /(?<![a-z])transcribe(?![a-z])/i

/**
 * Whether the text can be a model id: at most 128 letters, digits, `.`, `_` and `-`, a letter or digit first. A key is
 * none: it would be sent to the upstream and stand in usage records.
 */
export function isModelId(text: string): boolean {
  return text.length <= MODEL_ID_CHARS_MAX && MODEL_ID.test(text) && redactCredentials(text) === text
}

/**
 * Reads an allowedModels entry: a model id or `prefix*` (`*` alone: every model), with or without `models/` in front.
 * Returns it without `models/`; null if it is neither.
 */
export function parseModelPattern(text: string): string | null {
  const pattern = text.startsWith('models/') ? text.slice('models/'.length) : text
  const stem = pattern.endsWith('*') ? pattern.slice(0, -1) : pattern
  return pattern === '*' || isModelId(stem) ? pattern : null
}

/**
 * A test whether any allowedModels entry names a model id (without `models/`). Case counts. No entries allow no model,
 * and an entry that cannot be read allows none.
 */
export function compileModels(patterns: readonly string[]): (modelId: string) => boolean {
  const ids = new Set<string>()
  const prefixes: string[] = []
  for (const text of patterns) {
    const pattern = parseModelPattern(text)
    if (pattern === null) continue
    if (pattern.endsWith('*')) prefixes.push(pattern.slice(0, -1))
    else ids.add(pattern)
  }
  return modelId => {
    if (ids.has(modelId)) return true
    for (const prefix of prefixes) if (modelId.startsWith(prefix)) return true
    return false
  }
}

/**
 * Whether a model answers with images or audio when responseModalities is absent, judged by the words of its id, as new
 * models appear faster than lists (spec: image, TTS, native-audio, Live, Lyria). A video model counts as both.
 */
export function modelOutputs(modelId: string): ModelOutputs {
  let outputs = knownOutputs.get(modelId)
  if (outputs === undefined) {
    outputs = {
      image: IMAGE_WORDS.test(modelId),
      audio: AUDIO_WORDS.test(modelId) && !TRANSCRIBES.test(modelId),
    }
    if (knownOutputs.size === KNOWN_MAX) knownOutputs.clear()
    knownOutputs.set(modelId, outputs)
  }
  return outputs
}

export interface ModelOutputs {
  readonly image: boolean
  readonly audio: boolean
}

/** Asked for every call, of few models. */
const knownOutputs = new Map<string, ModelOutputs>()
const KNOWN_MAX = 1_000
