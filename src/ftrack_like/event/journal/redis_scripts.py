"""The changes of a journal in Redis, each one a script that the server runs as a whole.

Why not a stream with a consumer group: a stream hands events over and detects idle workers, but it
has neither pauses that grow, nor dead letters, nor ids that are accepted once. These need sorted
sets beside the stream, and a change of both is a script too. The sorted sets alone are enough.

The keys of a journal, all under one prefix:

========== ======= =========================================================
facts      hash    ``number``, ``server``, ``position``
events     hash    id → JSON text, of all entries that are not done
numbers    hash    id → number, which gives the order
tries      hash    id → number of tries
handled    hash    id → JSON list of subscribers
errors     hash    id → last error
waiting    zset    id by number
later      zset    id by the time at which its pause ends
claimed    zset    id by the end of its lease
owners     hash    id → owner of the claim
dead       zset    id by the time of the last try
done       zset    id by number
========== ======= =========================================================
"""

from __future__ import annotations

__all__ = ["SCRIPTS"]

#: The beginning of each script: names for the keys, and the time of the server in seconds.
_HEAD = """
local prefix = KEYS[1]
local function key(name) return prefix .. name end
local stamp = redis.call('TIME')
local now = tonumber(stamp[1]) + tonumber(stamp[2]) / 1000000
local function wait_again(id)
  redis.call('ZREM', key('claimed'), id)
  redis.call('HDEL', key('owners'), id)
  redis.call('ZADD', key('waiting'), redis.call('HGET', key('numbers'), id) or 0, id)
end
local function owned(id, owner) return redis.call('HGET', key('owners'), id) == owner end
local function unclaim(id)
  redis.call('ZREM', key('claimed'), id)
  redis.call('HDEL', key('owners'), id)
end
local function forget(id)
  local number = redis.call('HGET', key('numbers'), id) or 0
  for _, name in ipairs({'events', 'numbers', 'tries', 'handled', 'errors'}) do
    redis.call('HDEL', key(name), id)
  end
  redis.call('ZADD', key('done'), number, id)
end
"""

#: id, event, limit of waiting entries. Answers 1, 0 for a known id, -1 if the journal is full.
_ADD = """
if redis.call('HEXISTS', key('events'), ARGV[1]) == 1 then return 0 end
if redis.call('ZSCORE', key('done'), ARGV[1]) then return 0 end
if redis.call('HLEN', key('events')) >= tonumber(ARGV[3]) then return -1 end
local number = redis.call('HINCRBY', key('facts'), 'number', 1)
redis.call('HSET', key('events'), ARGV[1], ARGV[2])
redis.call('HSET', key('numbers'), ARGV[1], number)
redis.call('ZADD', key('waiting'), number, ARGV[1])
return 1
"""

#: owner, seconds of a lease. Answers nothing, or id, event, tries and subscribers.
_CLAIM = """
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('claimed'), '-inf', now)) do wait_again(id) end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('later'), '-inf', now)) do
  redis.call('ZREM', key('later'), id)
  wait_again(id)
end
local id = redis.call('ZRANGE', key('waiting'), 0, 0)[1]
if not id then return nil end
redis.call('ZREM', key('waiting'), id)
redis.call('ZADD', key('claimed'), now + ARGV[2], id)
redis.call('HSET', key('owners'), id, ARGV[1])
return {id, redis.call('HGET', key('events'), id), redis.call('HGET', key('tries'), id) or '0',
        redis.call('HGET', key('handled'), id) or '[]'}
"""

#: owner, id, seconds of a lease. Answers whether the claim is still there.
_BEGIN = """
if not owned(ARGV[2], ARGV[1]) then return 0 end
redis.call('HINCRBY', key('tries'), ARGV[2], 1)
redis.call('ZADD', key('claimed'), now + ARGV[3], ARGV[2])
return 1
"""

#: owner, id, limit of remembered ids.
_FINISH = """
if not owned(ARGV[2], ARGV[1]) then return 0 end
unclaim(ARGV[2])
forget(ARGV[2])
redis.call('ZREMRANGEBYRANK', key('done'), 0, -1 - ARGV[3])
return 1
"""

#: owner, id, subscribers, error, seconds of the pause.
_RETRY = """
if not owned(ARGV[2], ARGV[1]) then return 0 end
unclaim(ARGV[2])
redis.call('HSET', key('handled'), ARGV[2], ARGV[3])
redis.call('HSET', key('errors'), ARGV[2], ARGV[4])
redis.call('ZADD', key('later'), now + ARGV[5], ARGV[2])
return 1
"""

#: owner, id, subscribers, error.
_BURY = """
if not owned(ARGV[2], ARGV[1]) then return 0 end
unclaim(ARGV[2])
redis.call('HSET', key('handled'), ARGV[2], ARGV[3])
redis.call('HSET', key('errors'), ARGV[2], ARGV[4])
redis.call('ZADD', key('dead'), now, ARGV[2])
return 1
"""

#: owner, id, tries.
_RELEASE = """
if not owned(ARGV[2], ARGV[1]) then return 0 end
redis.call('HSET', key('tries'), ARGV[2], ARGV[3])
wait_again(ARGV[2])
return 1
"""

#: owner. Lets all its claims wait again.
_RECLAIM = """
local pairs_of = redis.call('HGETALL', key('owners'))
for at = 1, #pairs_of, 2 do
  if pairs_of[at + 1] == ARGV[1] then wait_again(pairs_of[at]) end
end
return 1
"""

#: owner, seconds of a lease, ids.
_RENEW = """
for at = 3, #ARGV do
  if owned(ARGV[at], ARGV[1]) then redis.call('ZADD', key('claimed'), now + ARGV[2], ARGV[at]) end
end
return 1
"""

#: owner, key, seconds of a lease, an id, whether to use this id (0 or 1), owners that have ended.
#: Answers the id to use.
_SUBSCRIBER = """
local ended = {}
for at = 6, #ARGV do ended[ARGV[at]] = true end
local known = redis.call('HGETALL', key('subscribers'))
local chosen = ARGV[4]
local latest = -1
for at = 1, #known, 2 do
  local entry = cjson.decode(known[at + 1])
  local free = ended[entry.owner] or entry.lease < now
  if ARGV[5] == '0' and entry.key == ARGV[2] and free and entry.lease > latest then
    chosen = known[at]
    latest = entry.lease
  end
end
local entry = {key = ARGV[2], owner = ARGV[1], lease = now + ARGV[3]}
redis.call('HSET', key('subscribers'), chosen, cjson.encode(entry))
return chosen
"""

#: owner, seconds of a lease.
_RENEW_SUBSCRIBERS = """
local known = redis.call('HGETALL', key('subscribers'))
for at = 1, #known, 2 do
  local entry = cjson.decode(known[at + 1])
  if entry.owner == ARGV[1] then
    entry.lease = now + ARGV[2]
    redis.call('HSET', key('subscribers'), known[at], cjson.encode(entry))
  end
end
return 1
"""

#: ids. Answers their number.
_REPEAT = """
local count = 0
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', key('dead'), id) == 1 then
    redis.call('HDEL', key('tries'), id)
    redis.call('HDEL', key('errors'), id)
    wait_again(id)
    count = count + 1
  end
end
return count
"""

#: ids. Answers their number.
_DROP = """
local count = 0
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', key('dead'), id) == 1 then
    forget(id)
    count = count + 1
  end
end
return count
"""

#: The scripts by their names.
SCRIPTS = {
    name: f"{_HEAD}{body}"
    for name, body in {
        "add": _ADD,
        "claim": _CLAIM,
        "begin": _BEGIN,
        "finish": _FINISH,
        "retry": _RETRY,
        "bury": _BURY,
        "release": _RELEASE,
        "reclaim": _RECLAIM,
        "renew": _RENEW,
        "subscriber": _SUBSCRIBER,
        "renew_subscribers": _RENEW_SUBSCRIBERS,
        "repeat": _REPEAT,
        "drop": _DROP,
    }.items()
}
