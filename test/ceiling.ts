/**
 * What a promise of so many milliseconds may take here. `npm run prove` holds it to the promise on a machine that does
 * nothing else; a test run that shares its machine gets four times as long, so that it fails for a rule that is broken
 * and not for a neighbour.
 */
export function ceiling(promiseMs: number): number {
  return process.env['POLLUX_PROVE'] === '1' ? promiseMs : promiseMs * 4
}
