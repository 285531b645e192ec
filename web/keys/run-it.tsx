import { useQueryClient } from '@tanstack/react-query'
import { Play } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../ui/button.tsx'

interface RunItProps {
  readonly keyString: string
  readonly baseUrl: string
  readonly model: string
}

interface Outcome {
  readonly status: number
  readonly requestId: string
  readonly text: string
  readonly tokens: number | null
}

/** The call of the snippets, made by this browser with the new key: it is metered and paid like any other. */
export function RunIt({ keyString, baseUrl, model }: RunItProps) {
  const queries = useQueryClient()
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const [isRunning, setRunning] = useState(false)
  const run = async (): Promise<void> => {
    setRunning(true)
    try {
      setOutcome(await callOnce({ keyString, baseUrl, model }))
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
      <div className="actions">
        <Button onPress={() => void run()} isDisabled={isRunning}>
          <Play aria-hidden />
          Run it
        </Button>
      </div>
      <div role="status">
        {outcome !== null && (
          <div className={outcome.status === 200 ? 'notice' : 'notice notice--wrong'}>
            <h3>
              {outcome.status === 200 ? 'The first call was answered' : `The call got ${outcome.status}`}
            </h3>
            <p>{outcome.text}</p>
            <p className="notice__facts">
              {model}
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
  readonly usageMetadata?: { readonly totalTokenCount?: number }
  readonly error?: { readonly message?: string }
}

async function callOnce({ keyString, baseUrl, model }: RunItProps): Promise<Outcome> {
  const response = await fetch(`${baseUrl}/v1beta/models/${model}:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Say hello' }] }] }),
  })
  const reply = (await response.json()) as GeminiReply
  const text =
    reply.error?.message ?? reply.candidates?.[0]?.content?.parts?.map(part => part.text).join('') ?? ''
  return {
    status: response.status,
    requestId: response.headers.get('x-request-id') ?? '',
    text: text.slice(0, SHOWN_CHARS_MAX),
    tokens: reply.usageMetadata?.totalTokenCount ?? null,
  }
}
