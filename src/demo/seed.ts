/** Fills an empty Pollux with the demo. Everything goes the way of real changes and calls, so the books are right. */
import type { UsageRecord } from '../domain/usage.ts'
import { digestOf } from '../domain/digest.ts'
import { maskKeyString, mintKeyString } from '../domain/keystring.ts'
import type { PriceBook } from '../domain/price-book.ts'
import { DEFAULT_MODEL_ALIASES, type Project } from '../domain/project.ts'
import type { Storage } from '../storage/storage.ts'
import { type Caller, callsOf, firstCallMs } from './calls.ts'
import { EDITOR, OWNER, demoEntry } from './entry.ts'
import { addLimits } from './limits.ts'
import { addBudgets, tailStartMs } from './money.ts'
import { type NewInvitation, addPeople } from './people.ts'
import { OWN_TIER, PROJECTS, type PlannedKey, type PlannedProject } from './plan.ts'
import { Random } from './random.ts'

const DAY_MS = 86_400_000
/** Records that are on their way to the storage at the same time. */
const APPENDING_MAX = 2_000
/** What projects of the operator's own tier pay, in ten-thousandths of the price. */
const OWN_TIER_BASIS_POINTS = 11_000
const LIST_BASIS_POINTS = 10_000

export interface DemoPlace {
  readonly storage: Storage
  readonly prices: PriceBook
  readonly newInvitation: NewInvitation
  /** What is to come out the same: all but secrets, the numbers of projects, and when things changed. */
  readonly seed: number
  /** Where the month ends. */
  readonly nowMs: number
}

/** A project of the demo as it is now, with the uids of its keys by their ids. */
export interface Seeded {
  readonly projects: ReadonlyMap<string, Project>
  readonly keyUids: ReadonlyMap<string, string>
}

/** Resolves to the link with which somebody becomes the demo's owner. The storage must be empty. */
export async function seedDemo(place: DemoPlace): Promise<string> {
  const { storage, prices, seed, nowMs } = place
  const random = new Random(seed)
  await putOwnTier(storage, null)
  const seeded = { projects: new Map<string, Project>(), keyUids: new Map<string, string>() }
  for (const plan of PROJECTS) {
    const project = await addProject(storage, plan, nowMs)
    seeded.projects.set(plan.projectId, project)
    for (const key of plan.keys) {
      const uid = random.uuid()
      seeded.keyUids.set(key.keyId, uid)
      await addKey(storage, { uid, project, plan: key, nowMs })
    }
  }
  const calls = callsOf(callersOf(seeded), { random, prices, nowMs })
  const tailMs = tailStartMs(nowMs)
  await append(
    storage,
    calls.filter(({ startTimeMs }) => startTimeMs < tailMs),
  )
  await addBudgets({ storage, seeded, random, calls, nowMs, putOwnTier: cap => putOwnTier(storage, cap) })
  await addLimits({ storage, seeded, random, nowMs })
  const link = await addPeople({ storage, seeded, random, nowMs, newInvitation: place.newInvitation })
  await endWhatIsOver(storage, { seeded, nowMs })
  return link
}

/** Made a day before the first of its keys. */
async function addProject(storage: Storage, plan: PlannedProject, nowMs: number): Promise<Project> {
  const { keys, projectId, displayName, labels, tier, recoverableKeys = false } = plan
  const createTimeMs = Math.min(...keys.map(key => keyCreateTimeMs(key, nowMs))) - DAY_MS
  const modelAliases = DEFAULT_MODEL_ALIASES
  const draft = { projectId, displayName, labels, tier, recoverableKeys, modelAliases, createTimeMs }
  const audit = demoEntry(OWNER, {
    methodName: 'google.cloud.resourcemanager.v3.Projects.CreateProject',
    resourceName: `projects/${projectId}`,
    projectNumber: null,
  })
  return await storage.projects.create(draft, audit, null)
}

interface NewKey {
  readonly uid: string
  readonly project: Project
  readonly plan: PlannedKey
  readonly nowMs: number
}

/** Its keyString is chance of the real kind, told to nobody; where the project's keys are recoverable it can be read. */
async function addKey(storage: Storage, { uid, project, plan, nowMs }: NewKey): Promise<void> {
  const { keyId, displayName, environment, restrictions, annotations = {}, expiresInDays } = plan
  const keyString = mintKeyString('key')
  const draft = {
    uid,
    keyId,
    keyString,
    digest: digestOf(keyString),
    maskedKeyString: maskKeyString(keyString),
    projectNumber: project.number,
    displayName,
    annotations,
    restrictions,
    environment,
    expireTimeMs: expiresInDays === undefined ? null : nowMs + expiresInDays * DAY_MS,
    allowedModels: plan.allowedModels ?? null,
    allowedTools: plan.allowedTools ?? null,
    createTimeMs: keyCreateTimeMs(plan, nowMs),
  }
  await storage.keys.create(draft, keyEntry('CreateKey', project, keyId), null)
}

/** A day before its first call can be. */
function keyCreateTimeMs({ traffic }: PlannedKey, nowMs: number): number {
  return firstCallMs(traffic, nowMs) - DAY_MS
}

function keyEntry(verb: string, { number }: Project, keyId: string) {
  return demoEntry(EDITOR, {
    methodName: `google.api.apikeys.v2.ApiKeys.${verb}`,
    resourceName: `projects/${number}/locations/global/keys/${keyId}`,
    projectNumber: number,
  })
}

function callersOf({ projects, keyUids }: Seeded): Caller[] {
  return PROJECTS.flatMap(({ projectId, tier, keys }) =>
    keys.flatMap(({ keyId, traffic }) => {
      const keyUid = keyUids.get(keyId)
      const projectNumber = projects.get(projectId)?.number
      if (traffic === null || keyUid === undefined || projectNumber === undefined) return []
      const priceBasisPoints = tier === OWN_TIER ? OWN_TIER_BASIS_POINTS : LIST_BASIS_POINTS
      return [{ projectNumber, keyUid, priceBasisPoints, traffic }]
    }),
  )
}

async function append(storage: Storage, calls: readonly UsageRecord[]): Promise<void> {
  for (let at = 0; at < calls.length; at += APPENDING_MAX) {
    await Promise.all(calls.slice(at, at + APPENDING_MAX).map(call => storage.usage.append(call, [])))
  }
}

/** Its cap comes after the calls: the budgets it opens begin with what they cost. */
async function putOwnTier(storage: Storage, spendCapNanos: number | null): Promise<void> {
  const draft = {
    displayName: 'Growth',
    quotaIdSuffix: 'Growth',
    limits: [
      { metric: 'requestsPerMinute', model: '*', value: 600 },
      { metric: 'inputTokensPerMinute', model: '*', value: 2_000_000 },
      { metric: 'requestsPerDay', model: 'gemini-4-argon', value: 500 },
      { metric: 'concurrentCalls', model: null, value: 80 },
    ],
    allowedModels: null,
    allowedMethods: null,
    allowedTools: null,
    spendCapNanos,
    priceBasisPoints: OWN_TIER_BASIS_POINTS,
  } as const
  const audit = demoEntry(OWNER, {
    methodName: 'pollux.v1.Tiers.UpdateTier',
    resourceName: `tiers/${OWN_TIER}`,
    projectNumber: null,
  })
  await storage.tiers.put({ id: OWN_TIER, etag: null }, draft, audit)
}

/** Last of all, as nothing can be added to what is over. */
async function endWhatIsOver(
  storage: Storage,
  { seeded, nowMs }: { readonly seeded: Seeded; readonly nowMs: number },
): Promise<void> {
  for (const plan of PROJECTS) {
    const project = seeded.projects.get(plan.projectId)
    if (project === undefined) continue
    for (const { keyId, end } of plan.keys) {
      const id = seeded.keyUids.get(keyId)
      if (end === undefined || id === undefined) continue
      const target = { id, etag: null }
      if (end === 'disabled') {
        const audit = keyEntry('DisableKey', project, keyId)
        await storage.keys.update(target, { disabledTimeMs: nowMs }, audit, null)
      } else {
        const audit = keyEntry('DeleteKey', project, keyId)
        await storage.keys.delete({ ...target, unusedSinceMs: null }, audit, null)
      }
    }
    if (plan.isDeleted !== true) continue
    const audit = demoEntry(OWNER, {
      methodName: 'google.cloud.resourcemanager.v3.Projects.DeleteProject',
      resourceName: `projects/${project.number}`,
      projectNumber: project.number,
    })
    await storage.projects.delete({ id: project.number, etag: null }, audit, null)
  }
}
