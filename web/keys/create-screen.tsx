import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useMemo, useState } from 'react'
import { useSearchParams } from 'react-router'
import { KEY_BUDGETS_V1 } from '../../src/contract/budgets.v1.ts'
import { ContractError } from '../../src/contract/client.ts'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import { KEY_QUOTAS_V1 } from '../../src/contract/quotas.v1.ts'
import { keysPath } from '../paths.ts'
import { type KeyJson, keysQuery, projectsQuery, serverQuery } from '../queries.ts'
import { CreateProjectDialog } from '../projects/create-project-dialog.tsx'
import { client } from '../session.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { CodeTabs } from '../ui/code-tabs.tsx'
import { SelectField } from '../ui/field.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { type KeyDraft, bodyOf, capOf, keyIdOf, problemsOf, quotasOf } from './draft.ts'
import { cliCommands, curlCommands } from './equivalents.ts'
import {
  AccessFields,
  BudgetFields,
  ClientFields,
  ExpiryFields,
  NameFields,
  QuotaFields,
} from './key-form.tsx'
import { NewKey } from './new-key.tsx'
import { type LeftOut, prefillOf } from './prefill.ts'
import { idOf } from './rows.ts'
import { sentenceOf } from './sentence.ts'
import { TEMPLATES, withTemplate } from './templates.ts'
import { terraformText } from './terraform.ts'
import './form.css'

interface Made {
  readonly key: KeyJson
  readonly keyString: string
  readonly draft: KeyDraft
}

/** Create key: described on the left, said in words on the right, shown once at the end. */
export function CreateScreen() {
  const [search, setSearch] = useSearchParams()
  const [prefill] = useState(() => prefillOf(search))
  const [draft, setDraft] = useState(prefill.draft)
  const [leftOut, setLeftOut] = useState(prefill.leftOut)
  const [made, setMade] = useState<Made | null>(null)
  const { data: projects = [] } = useQuery(projectsQuery)
  const chosen = draft.project || projects.find(({ state }) => state === 'ACTIVE')?.projectId || ''
  const whole = useMemo(() => ({ ...draft, project: chosen }), [draft, chosen])
  if (made !== null) {
    const { key, keyString, draft } = made
    return (
      <NewKey place={{ project: draft.project, key: idOf(key.name) }} keyString={keyString} draft={draft} />
    )
  }
  const choose = (template: string): void => {
    setDraft(before => withTemplate(before, template))
    setLeftOut([])
    // What else the address filled in is gone from the form too.
    const after = new URLSearchParams(template === '' ? {} : { template })
    for (const name of ['project', 'name']) if (search.has(name)) after.set(name, search.get(name) ?? '')
    setSearch(after, { replace: true })
  }
  return (
    <Form
      draft={whole}
      template={search.get('template') ?? ''}
      onTemplate={choose}
      onChange={change => {
        setDraft(before => ({ ...before, ...change }))
        setLeftOut(before => before.filter(({ field }) => field === null || !(field in change)))
      }}
      leftOut={leftOut}
      onGoOn={() => setLeftOut([])}
      onMade={setMade}
    />
  )
}

interface FormProps {
  readonly draft: KeyDraft
  /** Empty: none. */
  readonly template: string
  readonly onTemplate: (template: string) => void
  /** What of the address stands in no field; nothing is made before somebody has looked. */
  readonly leftOut: readonly LeftOut[]
  readonly onGoOn: () => void
  readonly onChange: (change: Partial<KeyDraft>) => void
  readonly onMade: (made: Made) => void
}

function Form({ draft, template, onTemplate, leftOut, onGoOn, onChange, onMade }: FormProps) {
  const queries = useQueryClient()
  const { data: server } = useQuery(serverQuery)
  const { data: keys = [] } = useQuery(keysQuery)
  const [error, setError] = useState<unknown>(null)
  const [isWorking, setWorking] = useState(false)
  const problems = problemsOf(draft, Date.now())
  const isReady =
    draft.project !== '' && leftOut.length === 0 && Object.values(problems).every(problem => problem === null)
  const taken = useMemo(() => new Set(keys.map(({ name }) => idOf(name))), [keys])
  const keyId = keyIdOf(draft.name, taken)
  const part = { draft, problems, onChange }
  const create = async (): Promise<void> => {
    setWorking(true)
    setError(null)
    try {
      onMade(await makeKey(draft, taken))
    } catch (cause) {
      setError(cause)
      setWorking(false)
    } finally {
      // A key that went again keeps its id.
      for (const name of ['keys', 'budgets', 'limits']) {
        void queries.invalidateQueries({ queryKey: [name] })
      }
    }
  }
  return (
    <Page
      title="Create key"
      about="The key is shown once, when it is made. What it may do can be changed later."
    >
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          if (isReady && !isWorking) void create()
        }}
      >
        <div className="form__parts">
          <Part title="What for">
            <StartFields draft={draft} template={template} onTemplate={onTemplate} onChange={onChange} />
            <NameFields {...part} />
          </Part>
          <Part title="Restrictions">
            <ClientFields {...part} ownAddress={server?.clientAddress ?? null} />
            <AccessFields {...part} models={server?.models ?? []} />
          </Part>
          <Part title="Quotas">
            <QuotaFields {...part} />
          </Part>
          <Part title="Budget and expiry">
            <BudgetFields {...part} />
            <ExpiryFields {...part} />
          </Part>
        </div>
        <aside className="form__side" aria-label="Summary">
          <div className="panel">
            <h2>This key</h2>
            <p role="status">{sentenceOf(draft)}</p>
            {leftOut.length > 0 && <LeftOutNotice leftOut={leftOut} onGoOn={onGoOn} />}
            {error !== null && <ErrorNotice title="The key was not made" error={error} />}
            <div className="actions">
              <Button type="submit" look="first" isDisabled={!isReady || isWorking}>
                Create key
              </Button>
              <ButtonLink to={keysPath({ project: draft.project })}>Cancel</ButtonLink>
            </div>
          </div>
          <Equivalents draft={draft} keyId={keyId} />
        </aside>
      </form>
    </Page>
  )
}

/** The key, with its budget and its limits before anybody has the key. If one is refused, the key goes again. */
async function makeKey(draft: KeyDraft, taken: ReadonlySet<string>): Promise<Made> {
  const { project } = draft
  const { keyString = '', ...key } = await createKey(draft, taken)
  const cap = capOf(draft)
  const params = { project, key: idOf(key.name) }
  try {
    const { period, policy } = draft
    if (cap !== null) {
      await client.call(KEY_BUDGETS_V1.createBudget, {
        params,
        query: { budgetId: period },
        body: { cap, policy },
      })
    }
    for (const body of quotasOf(draft)) await client.call(KEY_QUOTAS_V1.setQuotaLimit, { params, body })
  } catch (error) {
    // Why it was refused is what there is to say, even if the key then stays; nobody has its string.
    await client.call(POLLUX_V1.deleteKey, { params, query: {} }).catch(() => null)
    throw error
  }
  return { key, keyString, draft }
}

const ID_TRIES_MAX = 5

/** The key, under the next free id if somebody else has taken that one since the keys were read. */
async function createKey(draft: KeyDraft, taken: ReadonlySet<string>) {
  const refused = new Set(taken)
  for (let tries = 1; ; tries++) {
    const keyId = keyIdOf(draft.name, refused)
    const query = keyId === undefined ? {} : { keyId }
    try {
      return await client.call(POLLUX_V1.createKey, {
        params: { project: draft.project },
        query,
        body: bodyOf(draft, Date.now()),
      })
    } catch (error) {
      const isTaken = error instanceof ContractError && error.status === 'ALREADY_EXISTS'
      if (!isTaken || keyId === undefined || tries === ID_TRIES_MAX) throw error
      refused.add(keyId)
    }
  }
}

function StartFields({
  draft,
  template,
  onTemplate,
  onChange,
}: Pick<FormProps, 'draft' | 'template' | 'onTemplate' | 'onChange'>) {
  const { data: projects = [] } = useQuery(projectsQuery)
  const [isCreating, setCreating] = useState(false)
  return (
    <>
      <div className="form__pair form__pair--end">
        <SelectField
          label="Project"
          value={draft.project}
          onChange={project => onChange({ project })}
          options={projects
            .filter(({ state }) => state === 'ACTIVE')
            .map(({ projectId, displayName }) => [projectId, displayName ?? projectId])}
        />
        <Button onPress={() => setCreating(true)}>New project</Button>
      </div>
      <SelectField
        label="Template"
        value={template}
        onChange={onTemplate}
        hint="Choosing one fills in everything but project and name anew."
        options={[['', 'None'], ...Object.entries(TEMPLATES).map(([id, { text }]) => [id, text] as const)]}
      />
      {isCreating && (
        <CreateProjectDialog
          onClose={() => setCreating(false)}
          onCreated={project => onChange({ project })}
        />
      )}
    </>
  )
}

function LeftOutNotice({ leftOut, onGoOn }: Pick<FormProps, 'leftOut' | 'onGoOn'>) {
  return (
    <Notice>
      <p className="notice__title">The address says what is not understood</p>
      <ul>
        {leftOut.map(({ name, value }, place) => (
          // oxlint-disable-next-line react/no-array-index-key
          <li key={place}>
            <code>
              {name}={value}
            </code>
          </li>
        ))}
      </ul>
      <p>It stands in no field, so it restricts nothing. Fill the field in, or go on without.</p>
      <div className="actions">
        <Button onPress={onGoOn}>Go on without it</Button>
      </div>
    </Notice>
  )
}

function Equivalents({ draft, keyId }: { readonly draft: KeyDraft; readonly keyId: string | undefined }) {
  const place = { origin: location.origin, keyId, nowMs: Date.now() }
  return (
    <div className="panel">
      <h2>The same without the console</h2>
      <CodeTabs
        label="The same without the console"
        snippets={[
          { id: 'cli', text: 'Command line', code: cliCommands(draft, place) },
          { id: 'curl', text: 'curl', code: curlCommands(draft, place) },
          { id: 'terraform', text: 'Terraform', code: terraformText(draft, place) },
        ]}
      />
    </div>
  )
}

function Part({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="panel">
      <h2>{title}</h2>
      {children}
    </section>
  )
}
