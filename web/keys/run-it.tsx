import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Play } from 'lucide-react'
import { useState } from 'react'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import type { KeyPlace } from '../paths.ts'
import { serverQuery } from '../queries.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import type { FirstCall } from './first-call.ts'
import { bodyOfCall } from './quick-start.ts'

interface RunItProps {
  readonly place: KeyPlace
  readonly keyString: string
  readonly baseUrl: string
  readonly call: FirstCall
}

interface Outcome {
  readonly status: number
  readonly requestId: string
  readonly text: string
  readonly tokens: number | null
}

/** The call of the snippets, made by this browser with the new key: it is metered and paid like any other. */
export function RunIt({ place, keyString, baseUrl, call }: RunItProps) {
  const queries = useQueryClient()
  const refusal = useRefusal(place, call)
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const [isRunning, setRunning] = useState(false)
  const run = async (): Promise<void> => {
    setRunning(true)
    try {
      setOutcome(await callOnce({ keyString, baseUrl, call }))
    } catch (error) {
      setOutcome({ status: 0, requestId: '', text: String(error), tokens: null })
    }
    setRunning(false)
    await Promise.all(
      ['keys', 'usage', 'budgets'].map(name => queries.invalidateQueries({ queryKey: [name] })),
    )
  }
  return (
    <>
      {refusal !== null && (
        <Notice>
          <p>This browser cannot make the call with the key. {refusal}</p>
        </Notice>
      )}
      <div className="actions">
        <Button onPress={() => void run()} isDisabled={isRunning || refusal !== null}>
          <Play aria-hidden />
          Run it
        </Button>
      </div>
      <div role="status">
        {outcome !== null && (
          <div className={outcome.status === 200 ? 'notice notice--fine' : 'notice notice--wrong'}>
            <h3>
              {outcome.status === 200 ? 'The first call was answered' : `The call got ${outcome.status}`}
            </h3>
            <p>{outcome.text}</p>
            <p className="notice__facts">
              {call.model}
              {outcome.tokens !== null && ` · ${outcome.tokens} tokens`}
              {outcome.requestId !== '' && ` · request ${outcome.requestId}`}
            </p>
          </div>
        )}
      </div>
    </>
  )
}

const SHOWN_CHARS_MAX = 600

interface GeminiReply {
  readonly candidates?: readonly {
    readonly content?: { readonly parts?: readonly { readonly text?: string }[] }
  }[]
  readonly embedding?: { readonly values?: readonly number[] }
  readonly usageMetadata?: { readonly totalTokenCount?: number }
  readonly error?: { readonly message?: string }
}

/** Why the key would refuse the call of this browser, which names the page's origin but no page; null if it would not. */
function useRefusal(place: KeyPlace, { model, method }: FirstCall): string | null {
  const { data: server } = useQuery(serverQuery)
  const address = server?.clientAddress
  const { data } = useQuery({
    queryKey: ['keys', place.project, place.key, 'test', address, model, method],
    enabled: server !== undefined,
    queryFn: () =>
      client.call(POLLUX_V1.testKey, {
        params: { ...place },
        body: {
          ...(address ? { address } : {}),
          origin: location.origin,
          model,
          method: method === 'generateContent' ? 'GenerateContent' : 'EmbedContent',
        },
      }),
  })
  return data?.verdicts.find(({ outcome }) => outcome === 'REFUSED')?.message ?? null
}

async function callOnce({ keyString, baseUrl, call }: Omit<RunItProps, 'place'>): Promise<Outcome> {
  const response = await fetch(`${baseUrl}/v1beta/models/${call.model}:${call.method}`, {
    method: 'POST',
    headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
    body: JSON.stringify(bodyOfCall(call.method)),
  })
  const reply = (await response.json()) as GeminiReply
  const answer =
    reply.embedding === undefined
      ? reply.candidates?.[0]?.content?.parts?.map(part => part.text ?? '').join('')
      : `A vector of ${reply.embedding.values?.length ?? 0} numbers.`
  const text = reply.error?.message ?? answer ?? ''
  return {
    status: response.status,
    requestId: response.headers.get('x-request-id') ?? '',
    text: text.slice(0, SHOWN_CHARS_MAX),
    tokens: reply.usageMetadata?.totalTokenCount ?? null,
  }
}
