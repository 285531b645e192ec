import type { BodyOf, ResponseOf } from '../contract/endpoint.ts'
import type { POLLUX_V1 } from '../contract/pollux.v1.ts'
import { invalidField } from '../domain/error.ts'
import { type Key, type KeyState, keyState } from '../domain/key.ts'
import { GEMINI_SERVICE, methodFullName } from '../domain/method-name.ts'
import { isModelId } from '../domain/model.ts'
import type { Project } from '../domain/project.ts'
import type { Tier } from '../domain/quota.ts'
import {
  type CallFacts,
  type ClientFacts,
  type Verdict,
  compileRestrictions,
  explain,
} from '../domain/restriction.ts'
import { compileTier } from '../domain/tier.ts'
import { type UsedTool, toolsUsed } from '../domain/tool.ts'
import { projectName } from './resource-names.ts'

type Described = BodyOf<typeof POLLUX_V1.testKey>
type Answer = ResponseOf<typeof POLLUX_V1.testKey>

/** Methods whose body can ask for tools and outputs. */
const GENERATES: ReadonlySet<string> = new Set(['GenerateContent', 'StreamGenerateContent', 'CountTokens'])
const READS = /^(?:Get|List)[A-Z]/
const METHOD = /^[A-Z][A-Za-z]{0,63}$/

const STATE_REFUSALS: Readonly<Record<Exclude<KeyState, 'ACTIVE'>, string>> = {
  DELETED: 'The key is deleted. Undelete it, or use another.',
  DISABLED: 'The key is disabled. Enable it, or use another.',
  EXPIRED: 'The key has expired. Set a later expireTime, or use another.',
}

/** What every rule of a key says about a described call, in the order in which a real call meets them. */
export function testKey(
  key: Key,
  project: Project,
  described: Described & { readonly nowMs: number; readonly tier: Tier | null },
): Answer {
  const rules = compileRestrictions(key.restrictions, { models: key.allowedModels, tools: key.allowedTools })
  const facts = factsOf(described, project)
  const tierRules = described.tier === null ? null : compileTier(described.tier)
  const ofTier = tierRules === null ? [] : explain(tierRules, facts)
  const rest = explain(rules, facts).map((verdict, place) => ({ ...stricter(verdict, ofTier[place]) }))
  const verdicts = [stateVerdict(key, project, described.nowMs), ...rest]
  return { allowed: verdicts.every(({ outcome }) => outcome !== 'REFUSED'), verdicts }
}

/** What the key says, unless its project's tier refuses what the key does not. */
function stricter(ofKey: Verdict, ofTier: Verdict = ofKey): Verdict {
  return ofKey.outcome === 'REFUSED' || ofTier.outcome === 'NOT_APPLICABLE' ? ofKey : ofTier
}

function stateVerdict(key: Key, project: Project, nowMs: number): Answer['verdicts'][number] {
  const state = keyState(key, nowMs)
  const refused = { rule: 'state', outcome: 'REFUSED', reason: 'API_KEY_INVALID' } as const
  if (state !== 'ACTIVE') return { ...refused, message: STATE_REFUSALS[state] }
  if (project.deleteTimeMs !== null)
    return { ...refused, message: 'The project of the key is deleted. Undelete it.' }
  return { rule: 'state', outcome: 'ALLOWED' }
}

function factsOf(described: Described, project: Project): CallFacts {
  const { method = 'GenerateContent', apiVersion = 'v1beta' } = described
  if (!METHOD.test(method)) throw invalidField('method', 'use a bare method name such as GenerateContent')
  const asked = described.model?.replace(/^models\//, '')
  if (asked !== undefined && !isModelId(asked))
    throw invalidField('model', 'use a model id such as gemini-3.8-flash')
  const { modelAliases } = project
  const alias = asked !== undefined && Object.hasOwn(modelAliases, asked) ? modelAliases[asked] : undefined
  const model = alias?.model ?? asked
  const tools = new Set<UsedTool>(described.tools)
  if (model !== undefined && GENERATES.has(method)) for (const tool of toolsUsed({}, model)) tools.add(tool)
  return {
    consumer: projectName(project.number),
    client: clientOf(described),
    method: {
      service: GEMINI_SERVICE,
      fullName: methodFullName(alias?.apiVersion ?? apiVersion, method),
      httpMethod: READS.test(method) ? 'GET' : 'POST',
    },
    ...(model === undefined ? {} : { modelId: model }),
    tools,
  }
}

function clientOf({
  address,
  referer,
  origin,
  androidPackage,
  androidCert,
  iosBundleId,
}: Described): ClientFacts {
  return {
    address: address ?? '',
    ...(referer === undefined ? {} : { referer }),
    ...(origin === undefined ? {} : { origin }),
    ...(androidPackage === undefined ? {} : { androidPackage }),
    ...(androidCert === undefined ? {} : { androidCert }),
    ...(iosBundleId === undefined ? {} : { iosBundleId }),
  }
}
