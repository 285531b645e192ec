import { useMutation } from '@tanstack/react-query'
import { AUDIT_V1 } from '../../src/contract/audit.v1.ts'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { Table } from '../ui/table.tsx'
import { AuditFrame } from './frame.tsx'

type Verification = ResponseOf<typeof AUDIT_V1.verifyAudit>
type Checkpoint = ResponseOf<typeof AUDIT_V1.checkpointAudit>

const PROBLEM_TEXT = {
  ENTRY_CHANGED: 'The entry is not what was written.',
  ENTRY_MISSING: 'An entry is gone.',
  ENTRY_INSERTED: 'An entry was put in.',
  HEAD_DIFFERS: 'The trail does not end where its head says.',
  HEAD_FORGED: 'The head is signed by somebody else.',
  CHECKPOINT_DIFFERS: 'The entry is not the one that the checkpoint signed.',
  CHECKPOINT_WITHOUT_ENTRY: 'The entry that the checkpoint signed is gone.',
  CHECKPOINT_FORGED: 'The checkpoint is signed by somebody else.',
} as const satisfies Record<Verification['problems'][number]['what'], string>

/** Is the trail whole? And where does it end, signed, to compare with later. */
export function VerifyScreen() {
  const verify = useMutation({ mutationFn: () => client.call(AUDIT_V1.verifyAudit, { body: {} }) })
  const sign = useMutation({ mutationFn: () => client.call(AUDIT_V1.checkpointAudit, { body: {} }) })
  return (
    <AuditFrame
      title="Verify the trail"
      about="Each entry holds the digest of the one before, and the end is signed. Verifying recomputes all of it."
    >
      <div className="once">
        <section className="panel" aria-labelledby="verify-title">
          <h2 id="verify-title">Is it whole?</h2>
          <p className="quiet">
            <code>pollux audit verify</code> does the same, for a cron job: it exits with 13 where the trail
            is broken.
          </p>
          <div className="actions">
            <Button look="first" isDisabled={verify.isPending} onPress={() => verify.mutate()}>
              {verify.isPending ? 'Verifying…' : 'Verify the chain'}
            </Button>
          </div>
          {verify.error !== null && (
            <ErrorNotice title="The trail could not be verified" error={verify.error} />
          )}
          <div role="status">{verify.data !== undefined && <Result verification={verify.data} />}</div>
        </section>
        <section className="panel" aria-labelledby="checkpoint-title">
          <h2 id="checkpoint-title">Sign where it ends</h2>
          <p className="quiet">
            Done every hour and at each start anyway. Whoever has the database and the master key can forge a
            trail; what is kept elsewhere shows it. So keep this somewhere else.
          </p>
          <div className="actions">
            <Button isDisabled={sign.isPending} onPress={() => sign.mutate()}>
              Sign a checkpoint
            </Button>
          </div>
          {sign.error !== null && <ErrorNotice title="Nothing was signed" error={sign.error} />}
          <div role="status">{sign.data !== undefined && <Signed checkpoint={sign.data} />}</div>
        </section>
      </div>
    </AuditFrame>
  )
}

function Result({ verification }: { readonly verification: Verification }) {
  const { problems, entriesChecked, checkpointsChecked, headSequence, headDigest, signingKeyId } =
    verification
  return (
    <div className="entry">
      {problems.length === 0 ? (
        <h3 className="status status--fine">The trail is whole</h3>
      ) : (
        <Notice>
          <h3>The trail was changed behind the back of Pollux</h3>
          <p>Keep the database as it is, and compare it with a backup, the audit file, or an export.</p>
        </Notice>
      )}
      {problems.length > 0 && (
        <Table label="What is wrong" columns={[{ number: 'Entry' }, 'What is wrong']}>
          <tbody>
            {problems.map(({ sequence, what }) => (
              <tr key={`${sequence} ${what}`}>
                <td className="number">{sequence}</td>
                <td>
                  {PROBLEM_TEXT[what]} <code className="quiet">{what}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
      <dl className="facts">
        <dt>Checked</dt>
        <dd>
          {entriesChecked} entries, signed at {checkpointsChecked}{' '}
          {checkpointsChecked === 1 ? 'place' : 'places'}
        </dd>
        <dt>Last entry</dt>
        <dd>{headSequence}</dd>
        <dt>Its digest</dt>
        <dd>
          <code>{headDigest}</code> <CopyButton text={headDigest} label="Copy the digest" />
        </dd>
        <dt>Signing key</dt>
        <dd>
          <code>{signingKeyId}</code>
        </dd>
      </dl>
    </div>
  )
}

function Signed({ checkpoint }: { readonly checkpoint: Checkpoint }) {
  const { sequence, digest, signature, time } = checkpoint
  if (sequence === undefined) return <p>This end is signed already: nothing was added since.</p>
  return (
    <dl className="facts">
      <dt>Entry</dt>
      <dd>{sequence}</dd>
      <dt>Time</dt>
      <dd>{time}</dd>
      <dt>Digest</dt>
      <dd>
        <code>{digest}</code>
      </dd>
      <dt>Signature</dt>
      <dd>
        <code>{signature}</code>{' '}
        <CopyButton text={JSON.stringify(checkpoint)} label="Copy the checkpoint as JSON" />
      </dd>
    </dl>
  )
}
