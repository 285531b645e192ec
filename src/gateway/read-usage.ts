import { createHash } from 'node:crypto'
import { SERVED_PLAINLY, type Served } from '../domain/cost.ts'
import { type JsonObject, asObject, listOf } from '../domain/proto-json.ts'
import { type ModalityCount, NO_USAGE, type Usage, type UsageDetails } from '../domain/usage.ts'

/** What a reply, or one chunk of a stream, says of itself. */
export interface ReplyFacts {
  /** Null where the reply carries no usageMetadata, or one that cannot be read. */
  readonly usage: Usage | null
  /** The model that answered; null when not told. */
  readonly modelVersion: string | null
  /** What it says of tools that are charged by use; null where it used none. */
  readonly grounding: Grounding | null
}

/**
 * What is charged beside tokens: tools by use (gemini-wire 6.4), and what was made by the piece. Each use by what tells it
 * from others, with how often one piece of the reply named it.
 */
export interface Grounding {
  readonly searches: Uses
  readonly maps: Uses
  readonly songs: Uses
}

type Uses = Map<string, number>

/**
 * Reads `usageMetadata` and `modelVersion` of a reply (gemini-wire 2.7; zero-valued fields are omitted by Google). A
 * usage that does not say how large the prompt was, or in which a count cannot be read, says nothing: what it leaves
 * open would be free.
 */
export function readReply(reply: JsonObject): ReplyFacts {
  const metadata = asObject(reply['usageMetadata'])
  const modelVersion = typeof reply['modelVersion'] === 'string' ? reply['modelVersion'] : null
  return {
    usage: metadata === null ? null : readUsage(metadata),
    modelVersion,
    grounding: readGrounding(reply['candidates']),
  }
}

/**
 * `groundingMetadata` of the candidates: Gemini 3 bills each search query, Gemini 2 the grounded prompt. A candidate with
 * sound in it is a song where songs are billed.
 */
function readGrounding(candidates: unknown): Grounding | null {
  let grounding: Grounding | null = null
  for (const [position, element] of listOf(candidates).entries()) {
    const candidate = asObject(element)
    const isSong = hasSound(asObject(candidate?.['content'])?.['parts'])
    const metadata = asObject(candidate?.['groundingMetadata'])
    if (metadata === null && !isSong) continue
    grounding ??= { searches: new Map(), maps: new Map(), songs: new Map() }
    const index = typeof candidate?.['index'] === 'number' ? candidate['index'] : position
    if (isSong) add(grounding.songs, `${index}`)
    for (const name of SEARCHES) {
      for (const query of listOf(metadata?.[name])) add(grounding.searches, useOf(index, name, query))
    }
    const isMaps = listOf(metadata?.['groundingChunks']).some(
      chunk => asObject(chunk)?.['maps'] !== undefined,
    )
    if (isMaps) add(grounding.maps, `${index}`)
  }
  return grounding
}

const SEARCHES = ['webSearchQueries', 'imageSearchQueries'] as const

/** Of bounded length: a long query counts by its digest. */
function useOf(index: number, list: string, query: unknown): string {
  const use = JSON.stringify([index, list, query])
  return use.length <= USE_CHARS_MAX ? use : createHash('sha256').update(use).digest('base64')
}

const USE_CHARS_MAX = 200

function add(uses: Uses, use: string): void {
  uses.set(use, (uses.get(use) ?? 0) + 1)
}

function hasSound(parts: unknown): boolean {
  return listOf(parts).some(element => {
    const part = asObject(element)
    const mimeType = asObject(part?.['inlineData'] ?? part?.['fileData'])?.['mimeType']
    return typeof mimeType === 'string' && /^audio\//i.test(mimeType)
  })
}

/** What was served, by the reply's header and body; undefined where both say nothing out of the ordinary. */
export function servedAs(tier: unknown, grounding: Grounding | null): Served | undefined {
  if (typeof tier !== 'string' && grounding === null) return undefined
  const served = { ...SERVED_PLAINLY, tier: typeof tier === 'string' ? tier : null }
  if (grounding === null) return served
  const { searches, maps, songs } = grounding
  return {
    ...served,
    searchQueries: timesOf(searches),
    searchPrompts: Math.min(1, searches.size),
    mapsQueries: timesOf(maps),
    units: songs.size === 0 ? null : { song: timesOf(songs) },
  }
}

function timesOf(uses: Uses): number {
  return [...uses.values()].reduce((sum, times) => sum + times, 0)
}

/**
 * What two pieces of a stream say together. Some of Google's models tell the whole so far in each, some only what is new:
 * what both name counts once, what either names counts. Changes `known`.
 */
export function moreGrounded(known: Grounding | null, read: Grounding | null): Grounding | null {
  if (known === null || read === null) return known ?? read
  unite(known.searches, read.searches)
  unite(known.maps, read.maps)
  unite(known.songs, read.songs)
  return known
}

/** What no longer fits in memory counts each time it is named: rather twice than not at all. */
function unite(known: Uses, read: Uses): void {
  for (const [use, times] of read) {
    const before = known.get(use)
    if (before === undefined && known.size >= USES_MAX) known.set(MORE, (known.get(MORE) ?? 0) + times)
    else known.set(use, Math.max(before ?? 0, times))
  }
}

/** Distinct uses of a reply that are told apart: far more than a model makes. */
const USES_MAX = 1_000
const MORE = 'more'

function readUsage(metadata: JsonObject): Usage | null {
  const promptTokens = count(metadata['promptTokenCount'])
  const cachedTokens = count(metadata['cachedContentTokenCount'])
  // Live and some embedding replies name the output `responseTokenCount`.
  const candidatesTokens = count(metadata['candidatesTokenCount'] ?? metadata['responseTokenCount'])
  const thoughtsTokens = count(metadata['thoughtsTokenCount'])
  const toolUsePromptTokens = count(metadata['toolUsePromptTokenCount'])
  const used = promptTokens + candidatesTokens + thoughtsTokens + toolUsePromptTokens
  // Whatever is billed had a prompt: cached tokens are in its count, and that of a blocked prompt is told.
  if (promptTokens === 0 || !Number.isSafeInteger(used + cachedTokens)) return null
  const details = readDetails(metadata)
  if (details !== null && !isReadable(details)) return null
  const total = count(metadata['totalTokenCount'])
  const tier = metadata['serviceTier']
  return {
    promptTokens,
    cachedTokens,
    toolUsePromptTokens,
    candidatesTokens,
    thoughtsTokens,
    totalTokens: total > 0 ? total : used,
    details,
    serviceTier: typeof tier === 'string' ? tier.toLowerCase() : null,
  }
}

/** Embeddings spell it promptTokenDetails. */
function readDetails(metadata: JsonObject): UsageDetails | null {
  const details = {
    prompt: modalities(metadata['promptTokensDetails'] ?? metadata['promptTokenDetails']),
    cached: modalities(metadata['cacheTokensDetails']),
    toolUsePrompt: modalities(metadata['toolUsePromptTokensDetails']),
    candidates: modalities(metadata['candidatesTokensDetails'] ?? metadata['responseTokensDetails']),
  }
  return Object.values(details).every(counts => counts.length === 0) ? null : details
}

function modalities(value: unknown): ModalityCount[] {
  const counts: ModalityCount[] = []
  for (const element of listOf(value)) {
    const entry = asObject(element)
    const modality = entry?.['modality']
    if (typeof modality === 'string') counts.push({ modality, tokenCount: count(entry?.['tokenCount']) })
  }
  return counts
}

function isReadable(details: UsageDetails): boolean {
  return Object.values(details).every((counts: readonly ModalityCount[]) =>
    counts.every(({ tokenCount }) => !Number.isNaN(tokenCount)),
  )
}

/** A count as proto JSON writes it: a number, or its decimal text. 0 where it is left out, NaN where it is no count. */
function count(value: unknown): number {
  if (value === undefined || value === null) return 0
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : Number.NaN
}

/** What a call used whose prompt is all that is billed. */
export function usageOfPrompt(promptTokens: number): Usage {
  return { ...NO_USAGE, promptTokens, totalTokens: promptTokens }
}
