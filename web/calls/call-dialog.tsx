import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { keyPath } from '../paths.ts'
import { CopyButton } from '../ui/copy-button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { shownMoment } from '../ui/times.ts'
import { Cost } from './call-table.tsx'
import { CallBodies } from './call-bodies.tsx'
import { type CallDetails, type CallPlace, callQuery } from './queries.ts'
import { StatusCode } from './status-code.tsx'
import { Waterfall } from './waterfall.tsx'

const count = new Intl.NumberFormat('en')

const OUTCOME_TEXT: Readonly<Record<CallDetails['outcome'], string>> = {
  posted: 'Answered with its usage, which is what it cost.',
  unmetered: 'Answered. Nothing is billed for such a call.',
  void: 'Refused by the upstream or never sent. Nothing was billed, and what it held is free again.',
  estimated: 'It was sent, but its usage was not seen: the worst case counts.',
}

const TOKENS = [
  ['Input', 'promptTokens'],
  ['of it cached', 'cachedTokens'],
  ['Tool use', 'toolUsePromptTokens'],
  ['Output', 'candidatesTokens'],
  ['Thinking', 'thoughtsTokens'],
  ['In all', 'totalTokens'],
] as const

interface CallDialogProps {
  readonly place: CallPlace
  readonly onClose: () => void
}

/** Everything that is known of one call. */
export function CallDialog({ place, onClose }: CallDialogProps) {
  const { data: call, error } = useQuery(callQuery(place))
  return (
    <Dialog title="Call" onClose={onClose}>
      {error !== null && <ErrorNotice title="The call could not be read" error={error} />}
      {call === undefined && error === null && <div className="waiting" />}
      {call !== undefined && <Details call={call} />}
      {call !== undefined && <CallBodies {...place} />}
    </Dialog>
  )
}

function Details({ call }: { readonly call: CallDetails }) {
  return (
    <div className="call">
      <p className="call__head">
        <StatusCode {...call} />
        <span className="quiet">{OUTCOME_TEXT[call.outcome]}</span>
      </p>
      <Waterfall call={call} />
      <dl className="facts">
        <Fact name="Request id">
          <code>{call.callId}</code> <CopyButton text={call.callId} label="Copy the request id" />
        </Fact>
        <Fact name="Started">{shownMoment(call.startTime)}</Fact>
        <Fact name="Key">
          <KeyLink call={call} />
        </Fact>
        <Fact name="Method">{call.method}</Fact>
        {call.model !== '' && (
          <Fact name="Model">
            {call.model}
            {call.modelVersion !== undefined && call.modelVersion !== call.model && (
              <span className="quiet"> answered by {call.modelVersion}</span>
            )}
          </Fact>
        )}
        {call.serviceTier !== undefined && <Fact name="Service tier">{call.serviceTier}</Fact>}
        {call.clampedOutputTokens !== undefined && (
          <Fact name="Output limit">
            lowered to {count.format(call.clampedOutputTokens)} tokens, which is what its budgets had room for
          </Fact>
        )}
        <Fact name="Bytes">
          {count.format(call.requestBytes)} in, {count.format(call.responseBytes)} out
        </Fact>
        <Fact name="Cost">
          <Cost nanos={call.costNanos} />
        </Fact>
      </dl>
      <Numbers title="Tokens" rows={TOKENS.map(([name, field]) => [name, count.format(call[field])])} />
      {call.ledger.map(({ budget, heldNanos, postedNanos, freedNanos }) => (
        <Numbers
          key={budget}
          title={budget}
          rows={[
            ['Held', <Cost key="held" nanos={heldNanos} />],
            ['Posted', <Cost key="posted" nanos={postedNanos} />],
            ['Free again', <Cost key="freed" nanos={freedNanos} />],
          ]}
        />
      ))}
    </div>
  )
}

function KeyLink({ call: { projectId, keyId, keyUid, keyDisplayName } }: { readonly call: CallDetails }) {
  if (projectId === undefined || keyId === undefined) return <code>{keyUid}</code>
  return (
    <>
      <Link to={keyPath({ project: projectId, key: keyId })}>{keyDisplayName ?? keyId}</Link>
      <span className="quiet"> in {projectId}</span>
    </>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

interface NumbersProps {
  readonly title: string
  readonly rows: readonly (readonly [string, ReactNode])[]
}

function Numbers({ title, rows }: NumbersProps) {
  return (
    <section className="call__numbers">
      <h3>{title}</h3>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
