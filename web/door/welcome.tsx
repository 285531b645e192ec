import { useState } from 'react'
import { KEY_BUDGETS_V1 } from '../../src/contract/budgets.v1.ts'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import type { SIGN_IN_V1 } from '../../src/contract/sign-in.v1.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { CopyTextButton } from '../ui/copy-button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { useAttempt } from './attempt.ts'
import { Door } from './door.tsx'

type Accepted = ResponseOf<typeof SIGN_IN_V1.acceptLink>

interface WelcomeProps {
  readonly accepted: Accepted
  readonly onDone: () => void
}

/** What a newcomer has: a project and its first key, which the terminal showed, and which they may want to replace. */
export function Welcome({ accepted, onDone }: WelcomeProps) {
  const { firstKey, defaultProject = '' } = accepted
  const [keyString, setKeyString] = useState(firstKey?.keyString ?? null)
  const { error, isWorking, attempt } = useAttempt()
  const replace = async (): Promise<void> => {
    const params = { project: defaultProject }
    const key = firstKey?.name.split('/').at(-1) ?? ''
    const body = { displayName: firstKey?.displayName ?? '' }
    const { budgets } = await client.call(KEY_BUDGETS_V1.listBudgets, { params: { ...params, key } })
    const made = await client.call(POLLUX_V1.createKey, { params, query: {}, body })
    await capLike(budgets, { ...params, key: made.name.split('/').at(-1) ?? '' })
    // Shown whatever becomes of the old one: it is not to be had again.
    setKeyString(made.keyString ?? null)
    await client.call(POLLUX_V1.deleteKey, { params: { ...params, key }, query: {} })
  }
  if (keyString !== null) return <NewKey {...{ keyString, defaultProject, isWorking, error, onDone }} />
  return (
    <Door title="This Pollux is yours" about="What is here to begin with">
      <dl className="door__facts">
        <dt>Project</dt>
        <dd>{defaultProject}</dd>
        <dt>API key</dt>
        <dd>
          {firstKey?.displayName} <code>{firstKey?.maskedKeyString}</code>
        </dd>
      </dl>
      <p className="quiet">
        The terminal showed this key when Pollux first started. If others can read that terminal or its log,
        replace the key: the new one is shown here, once, and the old one is refused from then on.
      </p>
      {error !== null && <ErrorNotice title="Not replaced" error={error} />}
      <div className="actions">
        <Button look="first" onPress={onDone}>
          Go to the API keys
        </Button>
        <Button onPress={() => attempt(replace)} isDisabled={isWorking}>
          Replace the first key
        </Button>
      </div>
    </Door>
  )
}

/** Gives the new key the caps of the one it replaces; without them it is not left behind. */
async function capLike(
  budgets: ResponseOf<typeof KEY_BUDGETS_V1.listBudgets>['budgets'],
  params: { readonly project: string; readonly key: string },
): Promise<void> {
  try {
    for (const { period, cap, policy } of budgets) {
      const query = { budgetId: period }
      await client.call(KEY_BUDGETS_V1.createBudget, { params, query, body: { cap, policy } })
    }
  } catch (error) {
    await client.call(POLLUX_V1.deleteKey, { params, query: {} })
    throw error
  }
}

interface NewKeyProps {
  readonly keyString: string
  readonly defaultProject: string
  /** Whether the old one is still being deleted. */
  readonly isWorking: boolean
  /** Of the deletion of the old one. */
  readonly error: unknown
  readonly onDone: () => void
}

/** The key that took the first one's place, this once. */
function NewKey({ keyString, defaultProject, isWorking, error, onDone }: NewKeyProps) {
  return (
    <Door title="Take the new key now" about={`The first key of ${defaultProject}, replaced`}>
      <code className="door__key" data-testid="key-string">
        {keyString}
      </code>
      {error === null ? (
        <p className="quiet">
          It is stored as a digest only, so nobody can show it again.{' '}
          {isWorking
            ? 'The key that the terminal showed is being deleted.'
            : 'The key that the terminal showed is deleted and refused from now on.'}
        </p>
      ) : (
        <ErrorNotice title="The first key is still there: delete it among the API keys" error={error} />
      )}
      <div className="actions">
        <CopyTextButton text={keyString} label="Copy key" />
        <Button onPress={onDone}>Go to the API keys</Button>
      </div>
    </Door>
  )
}
