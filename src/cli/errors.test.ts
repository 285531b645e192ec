import { CommanderError } from 'commander'
import { describe, expect, test } from 'vitest'
import { ContractError } from '../contract/client.ts'
import { exitCodeOf, reportOf, usageError } from './errors.ts'

describe('exit codes', () => {
  test.each([
    ['FIELD_INVALID', 400, 'INVALID_ARGUMENT', 2],
    ['RESOURCE_NOT_FOUND', 404, 'NOT_FOUND', 3],
    ['METHOD_UNKNOWN', 404, 'NOT_FOUND', 1],
    ['ACCESS_TOKEN_INVALID', 401, 'UNAUTHENTICATED', 4],
    ['IAM_PERMISSION_DENIED', 403, 'PERMISSION_DENIED', 5],
    ['ALREADY_EXISTS', 409, 'ALREADY_EXISTS', 6],
    ['ETAG_MISMATCH', 409, 'ABORTED', 6],
    ['STATE_CONFLICT', 400, 'FAILED_PRECONDITION', 6],
    ['RESOURCE_QUOTA_EXCEEDED', 429, 'RESOURCE_EXHAUSTED', 6],
    ['RATE_LIMIT_EXCEEDED', 429, 'RESOURCE_EXHAUSTED', 7],
    ['SOME_SPEND_CAP', 402, 'FAILED_PRECONDITION', 8],
    ['STORAGE_UNAVAILABLE', 503, 'UNAVAILABLE', 9],
    ['REQUEST_TIMEOUT', 408, 'DEADLINE_EXCEEDED', 9],
    ['SERVER_UNREACHABLE', 0, 'UNAVAILABLE', 9],
    ['REPLY_MALFORMED', 502, 'UNKNOWN', 9],
    ['REPLY_MALFORMED', 200, 'UNKNOWN', 1],
    ['INTERNAL', 500, 'INTERNAL', 1],
    ['toString', 418, 'constructor', 1],
  ])('%s with HTTP %i is %i', (reason, httpStatus, status, exitCode) => {
    expect(exitCodeOf({ reason, httpStatus, status })).toBe(exitCode)
  })
})

describe('reports', () => {
  test("a server's refusal keeps its words, harmless, and its request id", () => {
    const facts = { httpStatus: 404, status: 'NOT_FOUND', reason: 'RESOURCE_NOT_FOUND', requestId: 'r-1' }
    expect(reportOf(new ContractError({ ...facts, message: 'No \u001b[31mkey' }))).toEqual({
      exitCode: 3,
      code: 404,
      message: String.raw`No \u001b[31mkey`,
      reason: 'RESOURCE_NOT_FOUND',
      requestId: 'r-1',
      hint: null,
    })
  })

  test('nothing that looks like a key is repeated', () => {
    const key = `plx_${'a'.repeat(36)}`
    expect(reportOf(usageError(`What is ${key}?`)).message).toBe('What is plx_…?')
    expect(reportOf(new Error(key)).message).not.toContain('aaa')
  })

  test('a mistake of usage is on one line', () => {
    const error = new CommanderError(
      1,
      'commander.unknownOption',
      "error: unknown option '--jsn'\n(Did you mean --json?)",
    )
    expect(reportOf(error)).toMatchObject({
      exitCode: 2,
      reason: 'USAGE',
      message: "unknown option '--jsn' (Did you mean --json?)",
    })
  })
})
