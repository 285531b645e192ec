/** Loaded before a Pollux whose clock a test moves: SIGUSR2 sets it back by an hour, and the next one right again. */
import { isMainThread } from 'node:worker_threads'

const HOUR_MS = 3_600_000
const rightNow = Date.now
let backMs = 0
Date.now = () => rightNow() - backMs
if (isMainThread) process.on('SIGUSR2', () => void (backMs = HOUR_MS - backMs))
