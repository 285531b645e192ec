/** Who is in the demo: a company of five projects and one that is over, with the keys of each and how they are used. */
import type { AllowedTool, Environment, Restrictions } from '../domain/key.ts'
import type { MannerName } from './manners.ts'

/** When a key is called: while people are awake, all the time, or by a job at night (UTC). */
export type Rhythm = 'people' | 'always' | 'nightly'

export interface Traffic {
  readonly callsPerDay: number
  readonly rhythm: Rhythm
  readonly manners: readonly [{ readonly name: MannerName; readonly weight: number }, ...Uses]
  /** Of the calls, those that fail. */
  readonly errors: number
  /** Days ago on which it was called so many times as often. */
  readonly spikes?: Readonly<Record<number, number>>
  /** Not called any more since, and only since. In days; absent: up to now, from the start. */
  readonly untilDaysAgo?: number
  readonly sinceDaysAgo?: number
}

type Uses = readonly { readonly name: MannerName; readonly weight: number }[]

export interface PlannedKey {
  readonly keyId: string
  readonly displayName: string
  readonly environment: Environment | null
  readonly restrictions: Restrictions | null
  readonly allowedModels?: readonly string[]
  readonly allowedTools?: readonly AllowedTool[]
  readonly annotations?: Readonly<Record<string, string>>
  /** Days from now; below zero: over already. */
  readonly expiresInDays?: number
  readonly end?: 'disabled' | 'deleted'
  readonly traffic: Traffic | null
}

export interface PlannedProject {
  readonly projectId: string
  readonly displayName: string
  readonly labels: Readonly<Record<string, string>>
  readonly tier: string | null
  readonly recoverableKeys?: boolean
  readonly isDeleted?: boolean
  readonly keys: readonly PlannedKey[]
}

/** The operator's own tier: dearer than the list, and with a cap for each of its projects. */
export const OWN_TIER = 'growth'

const GEMINI = 'generativelanguage.googleapis.com'
const use = (name: MannerName, weight = 1) => ({ name, weight })

export const PROJECTS: readonly PlannedProject[] = [
  {
    projectId: 'web-shop',
    displayName: 'Web shop',
    labels: { team: 'shop', environment: 'production', 'cost-center': '4100' },
    tier: OWN_TIER,
    recoverableKeys: true,
    keys: [
      {
        keyId: 'storefront',
        displayName: 'Storefront',
        environment: 'production',
        restrictions: {
          browserKeyRestrictions: {
            allowedReferrers: ['https://shop.example/*', 'https://*.shop.example/*'],
          },
        },
        allowedModels: ['gemini-3.8-flash', 'gemini-3.5-flash-lite'],
        allowedTools: [],
        traffic: {
          callsPerDay: 118,
          rhythm: 'people',
          manners: [use('chat', 5), use('sort', 4), use('look', 1)],
          errors: 0.02,
          spikes: { 9: 3.4 },
        },
      },
      {
        keyId: 'order-service',
        displayName: 'Order service',
        environment: 'production',
        restrictions: {
          serverKeyRestrictions: { allowedIps: ['203.0.113.0/24', '2001:db8:4100::/48', '127.0.0.1'] },
          apiTargets: [{ service: GEMINI, methods: ['GenerateContent', 'CountTokens'] }],
        },
        allowedModels: ['gemini-3.*'],
        traffic: {
          callsPerDay: 64,
          rhythm: 'always',
          manners: [use('sort', 6), use('answer', 3), use('measure', 1)],
          errors: 0.015,
        },
      },
      {
        keyId: 'checkout-preview',
        displayName: 'Checkout preview',
        environment: 'staging',
        restrictions: { serverKeyRestrictions: { allowedIps: ['198.51.100.7'] } },
        end: 'disabled',
        traffic: {
          callsPerDay: 9,
          rhythm: 'people',
          manners: [use('answer')],
          errors: 0.05,
          untilDaysAgo: 6,
        },
      },
      {
        keyId: 'spring-campaign',
        displayName: 'Spring campaign',
        environment: 'production',
        restrictions: { browserKeyRestrictions: { allowedReferrers: ['https://spring.shop.example/*'] } },
        expiresInDays: -12,
        traffic: {
          callsPerDay: 22,
          rhythm: 'people',
          manners: [use('draft', 2), use('paint')],
          errors: 0.02,
          untilDaysAgo: 12,
        },
      },
      {
        keyId: 'seen-in-a-log',
        displayName: 'Seen in a build log',
        environment: 'production',
        restrictions: null,
        annotations: { reason: 'printed by a build, replaced the same day' },
        end: 'deleted',
        traffic: {
          callsPerDay: 14,
          rhythm: 'always',
          manners: [use('answer'), use('chat')],
          errors: 0.02,
          untilDaysAgo: 16,
        },
      },
    ],
  },
  {
    projectId: 'support-desk',
    displayName: 'Support desk',
    labels: { team: 'support', environment: 'production' },
    tier: 'tier-1',
    keys: [
      {
        keyId: 'chat-widget',
        displayName: 'Chat widget',
        environment: 'production',
        restrictions: { browserKeyRestrictions: { allowedReferrers: ['https://help.example/*'] } },
        traffic: {
          callsPerDay: 72,
          rhythm: 'people',
          manners: [use('chat', 6), use('look', 1)],
          errors: 0.03,
          spikes: { 3: 2.6, 38: 2.2 },
        },
      },
      {
        keyId: 'ticket-triage',
        displayName: 'Ticket triage',
        environment: 'production',
        restrictions: { serverKeyRestrictions: { allowedIps: ['203.0.113.40'] } },
        allowedModels: ['gemini-3.5-flash-lite', 'gemini-3.8-flash', 'gemini-4-hydrogen'],
        traffic: {
          callsPerDay: 58,
          rhythm: 'always',
          manners: [use('sort', 7), use('read', 2)],
          errors: 0.01,
        },
      },
      {
        keyId: 'escalation-bot',
        displayName: 'Escalation bot',
        environment: 'production',
        restrictions: { serverKeyRestrictions: { allowedIps: ['203.0.113.41'] } },
        traffic: {
          callsPerDay: 12,
          rhythm: 'people',
          manners: [use('reason', 2), use('answer', 3)],
          errors: 0.03,
          untilDaysAgo: 0.25,
        },
      },
    ],
  },
  {
    projectId: 'media-studio',
    displayName: 'Media studio',
    labels: { team: 'media', environment: 'production' },
    tier: 'tier-2',
    keys: [
      {
        keyId: 'android-app',
        displayName: 'Android app',
        environment: 'production',
        restrictions: {
          androidKeyRestrictions: {
            allowedApplications: [
              {
                sha1Fingerprint: 'DA39A3EE5E6B4B0D3255BFEF95601890AFD80709',
                packageName: 'com.example.studio',
              },
            ],
          },
        },
        traffic: {
          callsPerDay: 34,
          rhythm: 'people',
          manners: [use('look', 4), use('paint', 1)],
          errors: 0.04,
        },
      },
      {
        keyId: 'ios-app',
        displayName: 'iOS app',
        environment: 'production',
        restrictions: { iosKeyRestrictions: { allowedBundleIds: ['com.example.studio'] } },
        traffic: {
          callsPerDay: 27,
          rhythm: 'people',
          manners: [use('look', 3), use('listen', 1)],
          errors: 0.03,
        },
      },
      {
        keyId: 'subtitles',
        displayName: 'Subtitles',
        environment: 'production',
        restrictions: { serverKeyRestrictions: { allowedIps: ['192.0.2.0/28'] } },
        traffic: {
          callsPerDay: 26,
          rhythm: 'nightly',
          manners: [use('listen', 4), use('watch', 1)],
          errors: 0.02,
          spikes: { 20: 2.8 },
        },
      },
      {
        keyId: 'cover-art',
        displayName: 'Cover art',
        environment: 'staging',
        restrictions: { apiTargets: [{ service: GEMINI, methods: ['GenerateContent'] }] },
        allowedModels: ['gemini-nano-banana-*'],
        allowedTools: ['imageOutput'],
        expiresInDays: 40,
        traffic: { callsPerDay: 11, rhythm: 'people', manners: [use('paint')], errors: 0.05 },
      },
    ],
  },
  {
    projectId: 'research',
    displayName: 'Research',
    labels: { team: 'research', environment: 'development' },
    tier: 'free',
    keys: [
      {
        keyId: 'notebooks',
        displayName: 'Notebooks',
        environment: 'development',
        restrictions: null,
        traffic: {
          callsPerDay: 24,
          rhythm: 'people',
          manners: [use('reason', 1), use('draft', 3), use('measure', 2)],
          errors: 0.07,
        },
      },
      {
        keyId: 'evaluations',
        displayName: 'Evaluations',
        environment: 'development',
        restrictions: { serverKeyRestrictions: { allowedIps: ['10.20.0.0/16'] } },
        traffic: {
          callsPerDay: 16,
          rhythm: 'nightly',
          manners: [use('reason', 1), use('answer', 3)],
          errors: 0.06,
          spikes: { 14: 6, 44: 3 },
        },
      },
      {
        keyId: 'old-importer',
        displayName: 'Old importer',
        environment: null,
        restrictions: null,
        traffic: {
          callsPerDay: 6,
          rhythm: 'nightly',
          manners: [use('embed')],
          errors: 0,
          sinceDaysAgo: 100,
          untilDaysAgo: 96,
        },
      },
    ],
  },
  {
    projectId: 'knowledge-base',
    displayName: 'Knowledge base',
    labels: { team: 'platform', environment: 'production' },
    tier: 'tier-1',
    keys: [
      {
        keyId: 'indexer',
        displayName: 'Indexer',
        environment: 'production',
        restrictions: {
          serverKeyRestrictions: { allowedIps: ['203.0.113.80/29'] },
          apiTargets: [{ service: GEMINI, methods: ['EmbedContent', 'BatchEmbedContents'] }],
        },
        allowedModels: ['gemini-embedding-*'],
        traffic: {
          callsPerDay: 95,
          rhythm: 'nightly',
          manners: [use('embed')],
          errors: 0.01,
          spikes: { 6: 2.2 },
        },
      },
      {
        keyId: 'search-answers',
        displayName: 'Search answers',
        environment: 'production',
        restrictions: { serverKeyRestrictions: { allowedIps: ['203.0.113.90', '203.0.113.91'] } },
        allowedTools: ['googleSearch', 'urlContext'],
        traffic: {
          callsPerDay: 46,
          rhythm: 'people',
          manners: [use('answer', 4), use('read', 1), use('embed', 2)],
          errors: 0.02,
        },
      },
    ],
  },
  {
    projectId: 'summer-hackathon',
    displayName: 'Summer hackathon',
    labels: { team: 'everybody', environment: 'development' },
    tier: null,
    isDeleted: true,
    keys: [
      {
        keyId: 'team-castor',
        displayName: 'Team Castor',
        environment: 'development',
        restrictions: null,
        traffic: {
          callsPerDay: 60,
          rhythm: 'people',
          manners: [use('draft'), use('paint'), use('chat', 2)],
          errors: 0.08,
          sinceDaysAgo: 27,
          untilDaysAgo: 24,
        },
      },
    ],
  },
]
