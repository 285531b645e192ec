/** What a call to each model looks like: how much goes in and out, in what modality, how long it takes. */
import type { ModalityCount } from '../domain/usage.ts'
import type { Range } from './random.ts'

export interface Manner {
  readonly model: string
  readonly method: 'GenerateContent' | 'StreamGenerateContent' | 'EmbedContent' | 'CountTokens'
  readonly promptTokens: Range
  readonly outputTokens: Range
  readonly thoughtsTokens: Range
  /** Of the calls, those that find most of their prompt cached. */
  readonly cached: number
  /** What else than text is in the prompt, and how many tokens of it; null: nothing. */
  readonly attached: { readonly modality: ModalityCount['modality']; readonly tokens: Range } | null
  /** Whether the output is a picture. */
  readonly makesPictures: boolean
  readonly firstByteMs: Range
  readonly msPerOutputToken: number
}

const TEXT = {
  method: 'GenerateContent',
  thoughtsTokens: [0, 0],
  cached: 0,
  attached: null,
  makesPictures: false,
} as const

/** By the name that the plan calls them. */
export const MANNERS = {
  chat: {
    ...TEXT,
    model: 'gemini-3.8-flash',
    method: 'StreamGenerateContent',
    promptTokens: [600, 9_000],
    outputTokens: [80, 1_400],
    thoughtsTokens: [0, 900],
    cached: 0.4,
    firstByteMs: [240, 900],
    msPerOutputToken: 4.2,
  },
  answer: {
    ...TEXT,
    model: 'gemini-3.8-flash',
    promptTokens: [900, 14_000],
    outputTokens: [120, 2_200],
    thoughtsTokens: [100, 2_000],
    cached: 0.25,
    firstByteMs: [500, 2_600],
    msPerOutputToken: 3.8,
  },
  sort: {
    ...TEXT,
    model: 'gemini-3.5-flash-lite',
    promptTokens: [200, 2_600],
    outputTokens: [8, 140],
    cached: 0.5,
    firstByteMs: [120, 420],
    msPerOutputToken: 2.4,
  },
  reason: {
    ...TEXT,
    model: 'gemini-4-argon',
    promptTokens: [2_000, 60_000],
    outputTokens: [600, 7_000],
    thoughtsTokens: [2_000, 14_000],
    cached: 0.2,
    firstByteMs: [1_800, 9_000],
    msPerOutputToken: 7.5,
  },
  draft: {
    ...TEXT,
    model: 'gemini-4-hydrogen',
    method: 'StreamGenerateContent',
    promptTokens: [1_200, 20_000],
    outputTokens: [300, 3_600],
    thoughtsTokens: [300, 4_000],
    cached: 0.3,
    firstByteMs: [500, 2_200],
    msPerOutputToken: 5.1,
  },
  look: {
    ...TEXT,
    model: 'gemini-3.8-flash',
    promptTokens: [150, 900],
    outputTokens: [40, 420],
    attached: { modality: 'IMAGE', tokens: [258, 2_064] },
    firstByteMs: [420, 1_900],
    msPerOutputToken: 4,
  },
  listen: {
    ...TEXT,
    model: 'gemini-2.5-flash',
    promptTokens: [60, 240],
    outputTokens: [300, 2_400],
    attached: { modality: 'AUDIO', tokens: [1_900, 46_000] },
    firstByteMs: [900, 4_200],
    msPerOutputToken: 3.6,
  },
  watch: {
    ...TEXT,
    model: 'gemini-3.8-flash',
    promptTokens: [120, 600],
    outputTokens: [200, 1_200],
    thoughtsTokens: [100, 900],
    attached: { modality: 'VIDEO', tokens: [8_000, 120_000] },
    firstByteMs: [2_000, 11_000],
    msPerOutputToken: 4.4,
  },
  read: {
    ...TEXT,
    model: 'gemini-4-hydrogen',
    promptTokens: [300, 1_200],
    outputTokens: [300, 1_800],
    thoughtsTokens: [200, 2_000],
    attached: { modality: 'DOCUMENT', tokens: [2_600, 38_000] },
    firstByteMs: [1_200, 5_200],
    msPerOutputToken: 4.8,
  },
  paint: {
    ...TEXT,
    model: 'gemini-nano-banana-2.1',
    promptTokens: [40, 420],
    outputTokens: [1_120, 1_680],
    makesPictures: true,
    firstByteMs: [4_200, 11_000],
    msPerOutputToken: 0.6,
  },
  embed: {
    ...TEXT,
    model: 'gemini-embedding-001',
    method: 'EmbedContent',
    promptTokens: [120, 2_048],
    outputTokens: [0, 0],
    firstByteMs: [60, 210],
    msPerOutputToken: 0,
  },
  measure: {
    ...TEXT,
    model: 'gemini-3.8-flash',
    method: 'CountTokens',
    promptTokens: [0, 0],
    outputTokens: [0, 0],
    firstByteMs: [40, 120],
    msPerOutputToken: 0,
  },
} as const satisfies Readonly<Record<string, Manner>>

export type MannerName = keyof typeof MANNERS
