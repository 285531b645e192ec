import { asObject } from '../domain/proto-json.ts'
import type { Gateway, Grant } from './call.ts'
import type { Sender } from './upstream-answer.ts'

const REPLY_BYTES_MAX = 64 * 1024
/** A call does not wait for longer before its bound counts. */
const COUNT_WAIT_MS = 5_000

/**
 * The tokens of a generateContent prompt as Google counts them, which costs nothing (gemini-wire 2.2); null when Google
 * does not say. Never rejects.
 */
export async function countPromptTokens(
  { model, apiVersion, body }: Pick<Grant, 'model' | 'apiVersion' | 'body'>,
  upstream: Gateway['upstream'],
): Promise<number | null> {
  const request = {
    httpMethod: 'POST' as const,
    path: `/${apiVersion}/models/${encodeURIComponent(model)}:countTokens`,
    fields: 'accept: application/json\r\naccept-encoding: identity\r\ncontent-type: application/json\r\n',
    body: withModel(body, `models/${model}`),
  }
  let late: NodeJS.Timeout | undefined
  try {
    const sender: Sender = {
      started(exchange) {
        clearTimeout(late)
        late = setTimeout(() => exchange.abort(new Error('counting took too long')), COUNT_WAIT_MS)
      },
    }
    const answer = await upstream.fetch(request, sender, REPLY_BYTES_MAX)
    if (answer.status !== 200) return null
    const total = asObject(JSON.parse(answer.body.toString('utf8')))?.['totalTokens']
    return Number.isSafeInteger(total) ? Number(total) : null
  } catch {
    // Whatever went wrong, the bound counts instead.
    return null
  } finally {
    clearTimeout(late)
  }
}

/** The request inside countTokens has to name its model (v1beta, CountTokensRequest.generate_content_request). */
function withModel(body: Buffer, model: string): Buffer {
  const parsed = asObject(JSON.parse(body.toString('utf8'))) ?? {}
  return Buffer.from(JSON.stringify({ generateContentRequest: { ...parsed, model } }))
}
