#include "handlers/spread/newest_scripts.h"

struct redis_script newest_note_script = {
    .text = SCRIPT_ALLOW_OOM "local function above(a, b)\n"
                             "  return #a > #b or (#a == #b and a > b)\n"
                             "end\n"
                             "local function newer(old, mine)\n"
                             "  local r, t, d = string.match(old, '^(%S+) (%S+) (%S+) ')\n"
                             "  local revision, time, gone = string.match(mine, '^(%S+) (%S+) (%S+) ')\n"
                             "  local both = r ~= '-1' and revision ~= '-1'\n"
                             "  if both and r ~= revision then return above(r, revision) end\n"
                             "  if both and d ~= gone then return d == '1' end\n"
                             "  return tonumber(t) > tonumber(time)\n"
                             "end\n"
                             "local out = {}\n"
                             "for i = 4, #ARGV, 3 do\n"
                             "  local id, mine = ARGV[i], ARGV[i + 1]\n"
                             "  local old = redis.call('HGET', KEYS[1], id)\n"
                             "  if old and newer(old, mine) then\n"
                             "    mine = old\n"
                             "  else\n"
                             "    redis.call('HSET', KEYS[1], id, mine)\n"
                             "    redis.call('INCRBY', KEYS[5], #mine - (old and #old or 0))\n"
                             "    old = ''\n"
                             "  end\n"
                             "  redis.call('ZADD', KEYS[4], ARGV[3], id)\n"
                             "  if ARGV[i + 2] == '1' then redis.call('ZADD', KEYS[3], 'NX', ARGV[1], id) end\n"
                             "  local mass = redis.call('ZSCORE', KEYS[3], id)\n"
                             "  if ARGV[2] ~= '0' and not mass then redis.call('ZADD', KEYS[2], ARGV[2], id) end\n"
                             "  out[#out + 1] = mass and 1 or 0\n"
                             "  out[#out + 1] = old\n"
                             "end\n"
                             "return out\n",
};

struct redis_script newest_looked_script = {
    .text = SCRIPT_ALLOW_OOM "local score = redis.call('ZSCORE', KEYS[2], ARGV[1])\n"
                             "if score and tonumber(score) == tonumber(ARGV[2]) then\n"
                             "  if ARGV[3] == '0' then\n"
                             "    redis.call('ZREM', KEYS[2], ARGV[1])\n"
                             "  else\n"
                             "    redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])\n"
                             "  end\n"
                             "end\n"
                             "return 1\n",
};

struct redis_script newest_spread_script = {
    .text = SCRIPT_ALLOW_OOM "local now = redis.call('HGET', KEYS[1], ARGV[1])\n"
                             "if now and string.sub(now, 1, #ARGV[2]) ~= ARGV[2] then return 0 end\n"
                             "redis.call('ZREM', KEYS[3], ARGV[1])\n"
                             "if now then\n"
                             "  if ARGV[3] ~= '0' then redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1]) end\n"
                             "  redis.call('ZADD', KEYS[4], ARGV[4], ARGV[1])\n"
                             "end\n"
                             "return 1\n",
};

struct redis_script newest_forget_script = {
    .text =
        SCRIPT_ALLOW_OOM "local list = redis.call('ZRANGE', KEYS[4], 0, ARGV[2] - 1, 'WITHSCORES')\n"
                         "local size = tonumber(redis.call('GET', KEYS[5]) or '0')\n"
                         "local gone = 0\n"
                         "for i = 1, #list, 2 do\n"
                         "  local id = list[i]\n"
                         "  if tonumber(list[i + 1]) > tonumber(ARGV[1]) and size <= tonumber(ARGV[3]) then break end\n"
                         "  if redis.call('ZSCORE', KEYS[2], id) or redis.call('ZSCORE', KEYS[3], id) then\n"
                         "    redis.call('ZADD', KEYS[4], math.max(ARGV[4], list[i + 1]), id)\n"
                         "  else\n"
                         "    local old = redis.call('HSTRLEN', KEYS[1], id)\n"
                         "    size = redis.call('DECRBY', KEYS[5], old)\n"
                         "    redis.call('HDEL', KEYS[1], id)\n"
                         "    redis.call('ZREM', KEYS[4], id)\n"
                         "    gone = gone + 1\n"
                         "  end\n"
                         "end\n"
                         "return gone\n",
};
