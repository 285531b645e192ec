import { type JsonObject, asObject, fieldOf, listOf } from '../domain/proto-json.ts'
import type { Gateway, Grant } from './call.ts'
import type { BodyKind } from './methods.ts'
import type { Sender } from './upstream-answer.ts'

const REPLY_BYTES_MAX = 64 * 1024
/** A call does not wait for longer before its bound counts. */
const COUNT_WAIT_MS = 5_000

/**
 * The tokens of a prompt, or of what is to be embedded, as Google counts them, which costs nothing (gemini-wire 2.2); null
 * when Google does not say. Never rejects.
 */
export async function countPromptTokens(
  { method, model, apiVersion, body }: Pick<Grant, 'method' | 'model' | 'apiVersion' | 'body'>,
  upstream: Gateway['upstream'],
): Promise<number | null> {
  const request = {
    httpMethod: 'POST' as const,
    path: `/${apiVersion}/models/${encodeURIComponent(model)}:countTokens`,
    fields: 'accept: application/json\r\naccept-encoding: identity\r\ncontent-type: application/json\r\n',
    body: Buffer.from(JSON.stringify(countable(method.body, body, `models/${model}`))),
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
    // Nothing is no count of a prompt: Google leaves out what is zero.
    return Number.isSafeInteger(total) && Number(total) > 0 ? Number(total) : null
  } catch {
    // Whatever went wrong, the bound counts instead.
    return null
  } finally {
    clearTimeout(late)
  }
}

/**
 * What countTokens is asked. The request inside it has to name its model (v1beta,
 * CountTokensRequest.generate_content_request). It takes no request to embed, but the contents of one, each with a role.
 */
function countable(kind: BodyKind, body: Buffer, model: string): JsonObject {
  const parsed = asObject(JSON.parse(body.toString('utf8'))) ?? {}
  if (kind === 'embed') return { contents: [embedded(parsed)] }
  if (kind === 'batchEmbed') return { contents: listOf(fieldOf(parsed, 'requests')).map(embedded) }
  return { generateContentRequest: { ...parsed, model } }
}

/** What of a request is embedded: its content, and the title that goes before it. */
function embedded(request: unknown): JsonObject {
  const message = asObject(request) ?? {}
  const title = fieldOf(message, 'title')
  const parts = listOf(fieldOf(asObject(fieldOf(message, 'content')) ?? {}, 'parts'))
  return { role: 'user', parts: title === undefined ? parts : [{ text: title }, ...parts] }
}
