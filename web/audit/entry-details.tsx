import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { type Difference, differences } from './difference.ts'
import { payloadOf, refusalOf } from './entry.ts'
import type { AuditFilter, LogEntry } from './queries.ts'

interface DetailsProps {
  readonly entry: LogEntry
  readonly onOnly?: (filter: Partial<AuditFilter>) => void
}

/** One entry: what it changed, by what request, and its place in the chain. */
export function EntryDetails({ entry, onOnly }: DetailsProps) {
  const payload = payloadOf(entry)
  const { authenticationInfo, methodName, resourceName, requestMetadata } = payload
  const changed = differences(payload.resourceOriginalState, payload.response)
  const request = differences(null, payload.request)
  const refusal = refusalOf(entry)
  const permission = payload.authorizationInfo?.[0]?.permission ?? ''
  return (
    <div className="entry">
      {refusal !== null && (
        <p>
          Refused: {refusal}. {payload.status?.message}
        </p>
      )}
      <h2>What it changed</h2>
      {changed.length === 0 ? (
        <p className="quiet">Nothing that is written down: the states before and after are the same.</p>
      ) : (
        <Differences changed={changed} />
      )}
      {request.length > 0 && (
        <>
          <h2>The request, without secrets</h2>
          <dl className="facts">
            {request.map(({ path, after }, index) => (
              <Fact key={`${path} ${index}`} name={path} value={after} />
            ))}
          </dl>
        </>
      )}
      <h2>By what</h2>
      <dl className="facts">
        <Fact name="Resource" value={resourceName} />
        <Fact name="Method" value={methodName} />
        <Fact name="Permission" value={permission} />
        <Fact name="Reason" value={requestMetadata.requestAttributes.reason ?? ''} />
        <Fact name="Program" value={requestMetadata.callerSuppliedUserAgent ?? ''} />
        <Fact name="Request id" value={requestMetadata.requestAttributes.id} />
        <Fact
          name="In the chain"
          value={`${entry.labels['pollux/sequence'] ?? ''} · ${entry.labels['pollux/digest'] ?? ''}`}
        />
      </dl>
      <div className="actions">
        {onOnly !== undefined && (
          <>
            <Button onPress={() => onOnly({ principal: authenticationInfo.principalSubject })}>
              Only this person
            </Button>
            <Button onPress={() => onOnly({ method: methodName })}>Only this method</Button>
            <Button onPress={() => onOnly({ resource: resourceName })}>Only this resource</Button>
          </>
        )}
        <CopyButton text={JSON.stringify(entry, null, 2)} label="Copy the entry as JSON" />
      </div>
    </div>
  )
}

const SIGN = { added: '+', removed: '−', changed: '~' } as const

function Differences({ changed }: { readonly changed: readonly Difference[] }) {
  return (
    <table className="table difference">
      <thead>
        <tr>
          <th scope="col">Field</th>
          <th scope="col">Before</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        {changed.map(({ path, kind, before, after }) => (
          <tr key={`${path} ${before} ${after}`}>
            <th scope="row">
              <span className={`difference__sign difference__sign--${kind}`} aria-hidden>
                {SIGN[kind]}
              </span>
              <span className="unseen">{kind}: </span>
              <code>{path === '' ? 'the whole' : path}</code>
            </th>
            <td>{before === '' ? <span className="quiet">nothing</span> : <del>{before}</del>}</td>
            <td>{after === '' ? <span className="quiet">nothing</span> : <ins>{after}</ins>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  if (value === '') return null
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <code>{value}</code>
      </dd>
    </>
  )
}
