import { useState } from 'react'
import { AUDIT_V1 } from '../../src/contract/audit.v1.ts'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { useAttempt } from '../door/attempt.ts'
import { useRights } from '../members/rights.ts'
import { Why } from '../members/why.tsx'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'

type Verification = ResponseOf<typeof AUDIT_V1.rekeySecrets>

/** Seals everything under the first master key, batch by batch, and opens it all at the end. */
export function MasterKeyPanel() {
  const why = useRights(null).whyNot('pollux.secrets.rekey')
  const [found, setFound] = useState<Verification | null>(null)
  const { error, isWorking, attempt } = useAttempt()
  const rekey = async (): Promise<void> => {
    setFound(null)
    let answer: Verification
    do {
      answer = await client.call(AUDIT_V1.rekeySecrets, { body: {} })
      setFound(answer)
    } while (answer.remaining > 0)
  }
  return (
    <section className="panel" aria-labelledby="master-key-title">
      <h2 id="master-key-title">Master key</h2>
      <p className="quiet">
        It seals every secret, and is in no database. To change it: put the new one in front of the old one in{' '}
        <code>POLLUX_MASTER_KEY</code> (or as the first line of the file), restart every node, then seal anew
        here. Calls go on meanwhile; whatever interrupts it, press again.
      </p>
      <div role="status">
        {found !== null && (
          <p>
            {found.remaining > 0 ? (
              `${found.remaining} secrets are still to be sealed anew.`
            ) : (
              <>
                Sealed under the master key <code>{found.masterKeyId}</code>, and opened again: every secret
                there is, {found.verified} in number.
              </>
            )}
          </p>
        )}
      </div>
      {error !== null && <ErrorNotice title="It was not finished" error={error} />}
      <div className="actions">
        <Button isDisabled={why !== null || isWorking} onPress={() => attempt(rekey)}>
          {isWorking ? 'Sealing…' : 'Seal anew and verify'}
        </Button>
      </div>
      <Why reason={why} />
    </section>
  )
}
