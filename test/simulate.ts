/** Runs the simulation of one seed again and prints what happened: `node test/simulate.ts SEED`. */
import { simulate } from './simulation.ts'

const seed = Number(process.argv[2])
if (!Number.isSafeInteger(seed)) throw new Error('usage: node test/simulate.ts SEED')
const { trace, violation, told } = await simulate(seed)
for (const line of trace) console.log(line)
console.log([...told].map(([what, count]) => `${count} ${what}`).join(', '))
console.log(violation ?? 'every promise was kept')
process.exit(violation === null ? 0 : 1)
