import { expect, it } from 'vitest'
import { bodyText } from './body-text.ts'

it.each([
  ['{"a":[1]}', '{\n  "a": [\n    1\n  ]\n}'],
  ['data: {"a":1}\r\n\r\ndata: {"b":2}\r\n\r\n', '{\n  "a": 1\n}\n\n{\n  "b": 2\n}'],
  ['data: {"a":1}\n\ndata: {"b":', '{\n  "a": 1\n}\n\ndata: {"b":'],
  ['{"a":', '{"a":'],
  ['', ''],
])('%j is shown as %j', (text, shown) => {
  expect(bodyText(text)).toBe(shown)
})
