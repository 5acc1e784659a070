-- Makes a token the leader where nobody leads, and gives the leader's token.
-- KEYS: the lead. ARGV: the token, the lease in ms.
local now = redis.call('GET', KEYS[1])
if now and string.sub(now, 1, 1) == '=' then
  return string.sub(now, 2)
end
redis.call('SET', KEYS[1], '=' .. ARGV[1], 'PX', ARGV[2])
return ARGV[1]
