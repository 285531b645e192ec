import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components'
import { useLocation, useParams } from 'react-router'
import { type KeyPlace, editKeyPath } from '../paths.ts'
import {
  type KeyJson,
  keyBudgetsQuery,
  keyQuery,
  projectsQuery,
  serverQuery,
  usageQuery,
} from '../queries.ts'
import { ButtonLink } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Time } from '../ui/time.tsx'
import { useUrlState } from '../url-state.ts'
import { chipsOf } from './chips.ts'
import { draftOf } from './patch.ts'
import { KeyAudit } from './key-audit.tsx'
import { KeyBudgets } from './key-budgets.tsx'
import { KeyCalls } from './key-calls.tsx'
import { KeyLedger } from './key-ledger.tsx'
import { KeyMenu } from './key-menu.tsx'
import { Chips, StatusMark } from './key-status.tsx'
import { KeyTest } from './key-test.tsx'
import { KeyUsage } from './key-usage.tsx'
import { type KeyRow, idOf, searchText, statusOf } from './rows.ts'
import './form.css'
import './key-screen.css'

const TABS = [
  ['overview', 'Overview'],
  ['calls', 'Calls'],
  ['ledger', 'Ledger'],
  ['audit', 'Audit'],
] as const
const FIRST_TAB = { tab: 'overview' } as const

function isTab(text: string): boolean {
  return TABS.some(([id]) => id === text)
}

/** One key: what it is, may do, did and costs. */
export function KeyScreen() {
  const { project = '', key: keyId = '' } = useParams()
  const place = { project, key: keyId }
  const key = useQuery(keyQuery(place))
  const budgets = useQuery(keyBudgetsQuery(place))
  const usage = useQuery(usageQuery({ ...place, groupBy: ['model'] }))
  const days = useQuery(usageQuery({ ...place, groupBy: ['time', 'model'] }))
  const { data: server } = useQuery(serverQuery)
  const [{ tab }, setTab] = useUrlState<Readonly<Record<'tab', string>>>(FIRST_TAB)
  const { data: projects = [] } = useQuery(projectsQuery)
  useScrollToHash(key.data !== undefined)
  if (key.error !== null) return <ErrorNotice title="The key could not be read" error={key.error} />
  if (key.data === undefined) return <div className="waiting" />
  const isRecoverable = projects.some(one => one.projectId === project && one.recoverableKeys === true)
  const row = { ...rowFor(key.data, place, budgets.data ?? []), isRecoverable }
  return (
    <Page
      title={row.name}
      about={<StatusMark status={row.status} />}
      actions={
        <>
          {row.status !== 'deleted' && <ButtonLink to={editKeyPath(place)}>Edit restrictions</ButtonLink>}
          <KeyMenu row={row} />
        </>
      }
    >
      <Tabs
        className="tabs"
        selectedKey={isTab(tab) ? tab : 'overview'}
        onSelectionChange={chosen => setTab({ tab: String(chosen) })}
      >
        <TabList aria-label="About this key" className="tabs__list key__tabs">
          {TABS.map(([id, text]) => (
            <Tab key={id} id={id} className="tabs__tab">
              {text}
            </Tab>
          ))}
        </TabList>
        <TabPanel id="overview">
          <div className="key">
            <div className="key__column">
              <Facts value={key.data} chips={row.chips} project={project} />
              <section className="panel" id="spend" aria-labelledby="spend-title">
                <h2 id="spend-title">Budgets that bind it</h2>
                {budgets.error !== null && (
                  <ErrorNotice title="The budgets could not be read" error={budgets.error} />
                )}
                {budgets.data !== undefined && <KeyBudgets budgets={budgets.data} place={place} />}
              </section>
            </div>
            <div className="key__column">
              <section className="panel" id="usage" aria-labelledby="usage-title">
                <h2 id="usage-title">Usage this month</h2>
                {usage.error !== null && (
                  <ErrorNotice title="The usage could not be read" error={usage.error} />
                )}
                {usage.data !== undefined && days.data !== undefined && (
                  <KeyUsage report={usage.data} days={days.data} />
                )}
              </section>
              <KeyTest place={place} models={server?.models ?? []} />
            </div>
          </div>
        </TabPanel>
        <TabPanel id="calls">
          <KeyCalls place={place} />
        </TabPanel>
        <TabPanel id="ledger">
          <KeyLedger place={place} />
        </TabPanel>
        <TabPanel id="audit">
          <KeyAudit value={key.data} />
        </TabPanel>
      </Tabs>
    </Page>
  )
}

function rowFor(key: KeyJson, place: KeyPlace, budgets: Parameters<typeof statusOf>[1]): KeyRow {
  const chips = chipsOf(key)
  const own = budgets.filter(({ scope }) => scope === 'key')
  return {
    key,
    projectId: place.project,
    keyId: idOf(key.name),
    name: key.displayName ?? place.key,
    searchText: searchText(key),
    status: statusOf(key, own, chips.length > 0),
    isRecoverable: false,
    chips,
    spentNanos: 0n,
    budget: own[0] ?? null,
    isCapped: budgets.length > 0,
  }
}

interface FactsProps {
  readonly value: KeyJson
  readonly chips: readonly string[]
  readonly project: string
}

function Facts({ value: key, chips, project }: FactsProps) {
  const { clients, ...lists } = draftOf(key, project)
  const entries = clients === 'any' ? '' : lists[clients]
  return (
    <section className="panel" aria-labelledby="facts-title">
      <h2 id="facts-title">The key</h2>
      <dl className="facts">
        <dt>Key</dt>
        <dd>
          <code>{key.maskedKeyString}</code>
        </dd>
        <dt>Name</dt>
        <dd>
          <code>{key.name}</code> <CopyButton text={key.name} label="Copy the resource name" />
        </dd>
        <dt>Environment</dt>
        <dd>{key.environment ?? 'none'}</dd>
        <dt>Restrictions</dt>
        <dd>
          {chips.length === 0 ? 'none: it may do everything' : <Chips chips={chips} />}
          {entries !== '' && <pre className="quiet">{entries}</pre>}
        </dd>
        <dt>Created</dt>
        <dd>
          <Time time={key.createTime} />
        </dd>
        <dt>Last used</dt>
        <dd>{key.lastUsedTime === undefined ? 'never' : <Time time={key.lastUsedTime} />}</dd>
        <dt>Expires</dt>
        <dd>{key.expireTime ? <Time time={key.expireTime} /> : 'never'}</dd>
      </dl>
    </section>
  )
}

/** `#usage` and `#spend` lead to their panels, once they are there. */
function useScrollToHash(isThere: boolean): void {
  const { hash } = useLocation()
  useEffect(() => {
    if (isThere && hash !== '') document.querySelector(hash)?.scrollIntoView()
  }, [isThere, hash])
}
