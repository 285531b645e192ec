/** `pollux keys test`: which rule of a key would refuse a described call. */
import { Option } from 'commander'
import type { BodyOf } from '../contract/endpoint.ts'
import { POLLUX_V1 } from '../contract/pollux.v1.ts'
import { ALLOWED_TOOLS, type AllowedTool } from '../domain/key.ts'
import { API_VERSIONS, type ApiVersion } from '../domain/project.ts'
import { type CommandRow, printJson, printTable } from './command.ts'
import { EXIT } from './errors.ts'
import { listOf } from './flags.ts'
import { printable } from './printable.ts'
import { type ProjectFlag, addProjectFlag, keyArgument } from './resource-arguments.ts'

interface CallFlags {
  readonly address?: string
  readonly ip?: string
  readonly referrer?: string
  readonly origin?: string
  readonly androidPackage?: string
  readonly androidCert?: string
  readonly bundleId?: string
  readonly apiVersion?: ApiVersion
  readonly method?: string
  readonly model?: string
  readonly tools?: readonly AllowedTool[]
}

type KeyTestRequest = BodyOf<typeof POLLUX_V1.testKey>

export const TEST_KEY: CommandRow<ProjectFlag & CallFlags> = {
  usage: 'test <key>',
  summary: 'tell which rule would refuse a call; exit code 10 when one would',
  examples: [
    'pollux keys test first-key --model gemini-3.8-flash --address 203.0.113.7',
    'pollux keys test first-key --method GenerateContent --referrer https://example.com/ --tools googleSearch',
  ],
  addFlags(command) {
    addProjectFlag(command)
    command
      .addOption(new Option('--address <address>', 'the address the call comes from').conflicts('ip'))
      .option('--ip <address>', 'the same')
      .option('--referrer <url>', 'the Referer header of the call')
      .option('--origin <origin>', 'the Origin header of the call')
      .option('--android-package <name>', 'the Android app that calls')
      .option('--android-cert <fingerprint>', "the SHA-1 of that app's certificate")
      .option('--bundle-id <id>', 'the iOS app that calls')
      .addOption(new Option('--api-version <version>', 'of the call (default: v1beta)').choices(API_VERSIONS))
      .option('--method <name>', 'bare name of the method (default: GenerateContent)')
      .option('--model <id>', 'the model that is called')
      .option('--tools <list>', ALLOWED_TOOLS.join(', '), listOf(ALLOWED_TOOLS))
  },
  async run(invocation) {
    const { io, args, flags, server } = invocation
    const params = keyArgument(args[0] ?? '', flags)
    const answer = await server().client.call(POLLUX_V1.testKey, { params, body: describedCall(flags) })
    const exitCode = answer.allowed ? EXIT.ok : EXIT.testDenied
    if (flags.json) {
      printJson(invocation, answer)
      return exitCode
    }
    const rows = answer.verdicts.map(({ rule, outcome, reason = '' }) => [rule, WORDS[outcome], reason])
    const columns = [{ title: 'RULE', isKept: true }, { title: 'VERDICT', isKept: true }, { title: 'REASON' }]
    printTable(invocation, { columns, rows }, 'The key has no rules.')
    const refused = answer.verdicts.find(({ outcome }) => outcome === 'REFUSED')
    const verdict = refused === undefined ? 'Allowed.' : `Refused. ${refused.message ?? refused.reason ?? ''}`
    io.stdout.write(`\n${printable(verdict.trim())}\n`)
    return exitCode
  },
}

const WORDS = { ALLOWED: 'allowed', NOT_APPLICABLE: 'no rule', REFUSED: 'refused' } as const

function describedCall(flags: CallFlags): KeyTestRequest {
  const { referrer: referer, bundleId: iosBundleId, tools } = flags
  const { origin, androidPackage, androidCert, apiVersion, method, model } = flags
  const address = flags.address ?? flags.ip
  const described = {
    address,
    referer,
    origin,
    androidPackage,
    androidCert,
    iosBundleId,
    apiVersion,
    method,
    model,
    tools: tools === undefined ? undefined : [...tools],
  }
  return Object.fromEntries(Object.entries(described).filter(([, value]) => value !== undefined))
}
