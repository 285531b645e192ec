/** What tools do to an answer: function calls, search, maps, URL context, code execution. */
import { hash } from 'node:crypto'
import { field, messageField, textField, textsField } from './fields.ts'
import type { Message } from './fields.ts'
import { functionResponses, question } from './request.ts'
import type { GenerateRequest } from './request.ts'
import { valueFor } from './schema-value.ts'
import { textTokens } from './tokens.ts'

/**
 * The calls the model makes: each declared function that the question names, or the first allowed one where the mode
 * is ANY. None where the request ends with a function's response, or the mode is NONE.
 */
export function functionCalls(request: GenerateRequest): readonly Message[] {
  const mode = textField(request.functionCallingConfig, 'mode')?.toUpperCase() ?? 'AUTO'
  if (mode === 'NONE' || functionResponses(request).length > 0) return []
  const allowed = textsField(request.functionCallingConfig, 'allowedFunctionNames')
  const declared = request.functionDeclarations.filter(declaration => {
    return allowed.length === 0 || allowed.includes(textField(declaration, 'name') ?? '')
  })
  const asked = question(request)
  const words = new Set(asked.split(/[^\w.:-]+/).map(word => word.replace(/[.:]+$/, '')))
  const named = declared.filter(declaration => words.has(textField(declaration, 'name') ?? ''))
  const called = named.length === 0 && mode === 'ANY' ? declared.slice(0, 1) : named
  return called.map((declaration, nth) => {
    const name = textField(declaration, 'name') ?? ''
    const parameters =
      messageField(declaration, 'parameters') ?? messageField(declaration, 'parametersJsonSchema')
    const args = parameters === undefined ? {} : valueFor({ type: 'OBJECT', ...parameters }, asked)
    return { id: hash('sha256', `${name} ${nth} ${asked}`, 'hex').slice(0, 8), name, args }
  })
}

/** What the tools of a request add to its first candidate. */
export interface ToolWork {
  /** Parts before the text of the answer. */
  readonly parts: readonly Message[]
  /** groundingMetadata, urlContextMetadata. */
  readonly metadata: Message
  /** Tokens of tool results fed back to the model. */
  readonly promptTokens: number
}

function has(request: GenerateRequest, ...names: readonly string[]): boolean {
  return request.tools.some(tool => names.some(name => field(tool, name) !== undefined))
}

/** Does what the tools in the request would do. */
export function toolWork(request: GenerateRequest): ToolWork {
  const asked = question(request)
  const works: ToolWork[] = []
  if (has(request, 'codeExecution')) works.push(codeExecution(asked))
  const chunks: Message[] = []
  const grounding: Record<string, unknown> = {}
  if (has(request, 'googleSearch', 'googleSearchRetrieval')) {
    const queries = searchQueries(asked)
    const found = queries.map((query, index) => ({
      uri: `https://example.com/search/${index + 1}`,
      title: `About ${query}`,
    }))
    grounding['webSearchQueries'] = queries
    grounding['searchEntryPoint'] = { renderedContent: '<div class="container">Search suggestions</div>' }
    chunks.push(...found.map(web => ({ web })))
  }
  if (has(request, 'googleMaps')) {
    chunks.push({
      maps: { uri: 'https://maps.google.com/?cid=1', title: 'A place', placeId: 'places/sandbox-1' },
    })
  }
  if (chunks.length > 0) {
    grounding['groundingChunks'] = chunks
    works.push({
      parts: [],
      metadata: { groundingMetadata: grounding },
      promptTokens: textTokens(JSON.stringify(chunks)),
    })
  }
  const urls = has(request, 'urlContext') ? (asked.match(/https?:\/\/[^\s"'<>)]+/g) ?? []) : []
  if (urls.length > 0) works.push(urlContext(urls))
  return {
    parts: works.flatMap(work => work.parts),
    metadata: Object.assign({}, ...works.map(work => work.metadata)) as Message,
    promptTokens: works.reduce((sum, work) => sum + work.promptTokens, 0),
  }
}

const QUERIES_MAX = 3
const QUERY_LENGTH = 80

/** A query for each question that was asked: on Gemini 3 and later each is billed. */
function searchQueries(asked: string): readonly string[] {
  const questions = asked.split(/[?？]/).map(text => text.trim().slice(0, QUERY_LENGTH).toWellFormed())
  const queries = questions.filter(text => text !== '').slice(0, QUERIES_MAX)
  return queries.length > 0 ? queries : ['pollux']
}

/** Runs the first sum or product in the question, or a greeting. */
function codeExecution(asked: string): ToolWork {
  const sum = /(\d{1,9})\s*([+*-])\s*(\d{1,9})/.exec(asked)
  const [, left = '', operator = '', right = ''] = sum ?? []
  const code = sum === null ? "print('hello from the sandbox')" : `print(${left} ${operator} ${right})`
  const results: Readonly<Record<string, bigint>> =
    sum === null
      ? {}
      : {
          '+': BigInt(left) + BigInt(right),
          '-': BigInt(left) - BigInt(right),
          '*': BigInt(left) * BigInt(right),
        }
  const output = `${results[operator]?.toString() ?? 'hello from the sandbox'}\n`
  return {
    parts: [
      { executableCode: { language: 'PYTHON', code } },
      { codeExecutionResult: { outcome: 'OUTCOME_OK', output } },
    ],
    metadata: {},
    promptTokens: textTokens(code) + textTokens(output),
  }
}

const PAGE_TOKENS = 120

function urlContext(urls: readonly string[]): ToolWork {
  const urlMetadata = urls.map(retrievedUrl => ({
    retrievedUrl,
    urlRetrievalStatus: 'URL_RETRIEVAL_STATUS_SUCCESS',
  }))
  return {
    parts: [],
    metadata: { urlContextMetadata: { urlMetadata } },
    promptTokens: urls.length * PAGE_TOKENS,
  }
}
