/**
 * What runs inside Redis: each script is one step that nothing comes between, on the clock of Redis. A counter is a hash
 * of the window it counts in (`w`, its start), the moment it was begun (`g`, microseconds: after a flush the same window
 * is begun again, and what was taken before is not given back to it), and the count (`n`); slots are a sorted set of calls by the end of their
 * lease. A key that holds anything else is begun anew: it is nobody's but Pollux's.
 *
 * A window never opens again because the clock went back, as it does after a failover to a Redis whose clock lags: what comes
 * in the window before that of a counter counts in the counter's. What comes earlier begins anew: the clock was wrong then.
 *
 * Windows: minutes are reckoned here. Days are given as midnights around the caller's idea of now; when Redis' own now is
 * not among them the answer is its time, and the caller asks again with the right ones.
 */

/** How long a slot is held for a node that says nothing any more, ms. */
export const SLOT_LEASE_MS = 30_000
/** How long a counter outlives its window: a reply that comes late still finds it. */
const KEPT_MS = 60_000

/** `redis.call` for a key; what is there of another type goes. */
const ASK = `
local function ask(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  if string.find(answer.err, '^WRONGTYPE') then redis.call('DEL', key) end
  return redis.call(command, key, ...)
end
`

/**
 * `ARGV`: midnights as `a,b,c`, then for each key its kind. Leaves `now`, `windowOf`, and `countOf`: used, start, end, begun;
 * nil where the midnights are none of now.
 */
const WINDOWS = `${ASK}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local midnights = {}
for text in string.gmatch(ARGV[1], '%d+') do midnights[#midnights + 1] = tonumber(text) end
local function windowOf(kind)
  if kind == 'minute' then
    local start = now - now % 60000
    return start, start + 60000
  end
  if kind == 'slots' then return 0, 0 end
  for place = 1, #midnights - 1 do
    if now >= midnights[place] and now < midnights[place + 1] then return midnights[place], midnights[place + 1] end
  end
  return nil
end
local function countOf(key, kind)
  local first, last = windowOf(kind)
  if not first then return nil end
  if kind == 'slots' then
    ask('ZREMRANGEBYSCORE', key, '-inf', now)
    return redis.call('ZCARD', key), 0, 0, 0
  end
  local count = ask('HMGET', key, 'w', 'n', 'g')
  local start, used, begun = tonumber(count[1]), tonumber(count[2]), tonumber(count[3])
  if not (start and start >= first and start <= last and used and used >= 0 and begun) then
    return 0, first, last, time[1] * 1000000 + time[2]
  end
  -- A day ahead may be an hour longer or shorter than this one: it ends rightly once the clock is in it.
  return used, start, start + (last - first), begun
end
`

/**
 * `KEYS`: the counters. `ARGV`: midnights, call id, then kind, amount and limit of each. Answers `[1, now, begun, …]`, or
 * `[0, now, place, used, end, …]` for those that are too full (and nothing is taken), or `[-1, now]`.
 */
export const ALLOCATE = `${WINDOWS}
local starts, ends, useds, begun = {}, {}, {}, {}
local refused = {0, now}
for place, key in ipairs(KEYS) do
  local at = place * 3
  local kind, amount, limit = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  useds[place], starts[place], ends[place], begun[place] = countOf(key, kind)
  if not useds[place] then return {-1, now} end
  if useds[place] + amount > limit then
    refused[#refused + 1] = place
    refused[#refused + 1] = useds[place]
    refused[#refused + 1] = ends[place]
  end
end
if #refused > 2 then return refused end
local granted = {1, now}
for place, key in ipairs(KEYS) do
  local at = place * 3
  if ARGV[at] == 'slots' then
    redis.call('ZADD', key, now + ${SLOT_LEASE_MS}, ARGV[2])
    redis.call('PEXPIRE', key, ${SLOT_LEASE_MS})
  else
    local count = string.format('%.0f', useds[place] + tonumber(ARGV[at + 1]))
    redis.call('HSET', key, 'w', string.format('%.0f', starts[place]), 'g', string.format('%.0f', begun[place]), 'n', count)
    redis.call('PEXPIREAT', key, string.format('%.0f', ends[place] + ${KEPT_MS}))
  end
  granted[#granted + 1] = begun[place]
end
return granted
`

/** `ARGV`: call id, then kind, moment the window was begun and the difference of each. */
export const RELEASE = `${ASK}
for place, key in ipairs(KEYS) do
  local at = place * 3 - 1
  if ARGV[at] == 'slots' then
    ask('ZREM', key, ARGV[1])
  else
    local count = ask('HMGET', key, 'g', 'n')
    if tonumber(count[1]) == tonumber(ARGV[at + 1]) then
      local left = math.max(0, tonumber(count[2]) + tonumber(ARGV[at + 2]))
      redis.call('HSET', key, 'n', string.format('%.0f', left))
    end
  end
end
return 1
`

/** `KEYS`: one set of slots. `ARGV`: the calls that still use theirs. */
export const RENEW = `${ASK}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, call in ipairs(ARGV) do ask('ZADD', KEYS[1], now + ${SLOT_LEASE_MS}, call) end
redis.call('PEXPIRE', KEYS[1], ${SLOT_LEASE_MS})
return 1
`

/** `ARGV`: midnights, then the kind of each. Answers `[1, now, used, end, …]` or `[-1, now]`. */
export const READ = `${WINDOWS}
local answer = {1, now}
for place, key in ipairs(KEYS) do
  local used, _, last = countOf(key, ARGV[place + 1])
  if not used then return {-1, now} end
  answer[#answer + 1] = used
  answer[#answer + 1] = last
end
return answer
`
