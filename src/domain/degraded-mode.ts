/**
 * What is lost while something is away, and what is not: every choice between refusing and carrying on, in one place. The
 * metric `pollux_degraded{mode}` has a row for each; docs/operations.md shows the table.
 */

interface DegradedMode {
  /** What is away. */
  readonly when: string
  readonly happens: string
  readonly kept: string
  /** Whether calls are refused meanwhile. */
  readonly calls: 'served' | 'refused with 503'
}

export const DEGRADED_MODES = {
  push: {
    when: 'nodes cannot tell each other of changes: Redis, or the connection for NOTIFY, is down, hangs or is cut off',
    happens: 'changes of other nodes are seen by asking the database, four times a second',
    kept: 'a revoked key is refused within a second on every node; money and usage do not use the push',
    calls: 'served',
  },
  changes: {
    when: 'the database has not said for 0.9 s whether other nodes changed anything',
    happens:
      'no key is taken from memory: each call asks the database for its key; after 3 s none is let in at all',
    kept: 'a revoked key is refused within a second also on a node that is cut off; open streams go on until the database is back',
    calls: 'refused with 503',
  },
  usage: {
    when: 'usage records do not become durable: the database is down, hangs, is full or damaged, or a commit takes more than 2 s',
    happens: 'no call is let in; finished replies wait up to 10 s for their last byte, then are cut',
    kept: 'usage of what was sent stands in the journal of the node, with fsync, and is posted later, once',
    calls: 'refused with 503',
  },
  overload: {
    when: 'the event loop was late by more than 0.2 s for half a second, or as many calls are under way as there may be',
    happens: 'calls are refused before their body is read, with RetryInfo and Retry-After',
    kept: 'calls under way, health checks and management are served',
    calls: 'refused with 503',
  },
  quota: {
    when: 'Redis, where nodes count rates together, is away, or in the last 10 s was too slow for a call or answered it with an error',
    happens:
      'such calls are let through without their rate limits, after 50 ms at most, and counted in pollux_quota_unenforced_total',
    kept: 'money and revocation do not use the counters; a call that Redis answers for is limited as ever',
    calls: 'served',
  },
  clock: {
    when: "the machine's clock is more than 30 s from the database's, or on SQLite was set back by more than that",
    happens:
      'no call is let in, and on PostgreSQL a start fails: nobody could tell which keys have expired; on SQLite a new start takes the clock as it is',
    kept: "budget periods and allotments go by the database's clock, durations by a monotonic one",
    calls: 'refused with 503',
  },
} as const satisfies Readonly<Record<string, DegradedMode>>

export type DegradedModeName = keyof typeof DEGRADED_MODES

export const DEGRADED_MODE_NAMES = Object.keys(DEGRADED_MODES) as readonly DegradedModeName[]

/** The table as Markdown, for docs/operations.md. */
export function degradedModesTable(): string {
  const rows = Object.entries(DEGRADED_MODES).map(
    ([name, { when, happens, kept, calls }]) => `| \`${name}\` | ${when} | ${calls} | ${happens} | ${kept} |`,
  )
  return ['| Mode | When | Calls | What happens | What is kept |', '|---|---|---|---|---|', ...rows].join(
    '\n',
  )
}
