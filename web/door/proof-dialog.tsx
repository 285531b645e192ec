import { Suspense, lazy, useSyncExternalStore } from 'react'
import { isProofAsked, onProof } from './proof.ts'

const ProofForm = lazy(async () => ({ default: (await import('./proof-form.tsx')).ProofForm }))

/** Stands over whatever asked for a fresh proof, for as long as a request waits for it. */
export function ProofDialog() {
  if (!useSyncExternalStore(onProof, isProofAsked)) return null
  return (
    <Suspense>
      <ProofForm />
    </Suspense>
  )
}
