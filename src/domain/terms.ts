/**
 * What the first owner acknowledges before a Pollux is theirs. There is no other party to it: whoever runs Pollux answers for
 * it. docs/terms.md has the same words.
 */

/** Another one for every change of the words, so that the audit trail says which were accepted. */
export const TERMS_VERSION = '2026-11-21'

export const TERMS: readonly string[] = [
  'You run this Pollux and answer for it: for who gets a key or a role, and for what their calls do and cost.',
  'It stores who called which model when, with tokens and costs, and an audit trail of every change with addresses and user agents. What callers send to models, and what they get, passes through memory and is stored nowhere.',
  'A key is shown once, when it is made; stored is its digest, unless a project is set to recoverable keys.',
  'Calls go to the Gemini API with your credential: Google’s terms for it, its prices and its rules on data and age apply to you and to those who call through you.',
  'Pollux is free software under the Apache License 2.0, without warranty of any kind.',
]
