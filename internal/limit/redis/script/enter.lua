-- KEYS[1] are the places taken: tokens by the millisecond at which they lapse. ARGV[3] is the token, ARGV[4] how many may be inside, ARGV[5] the lease in
-- milliseconds; then come tokens that are given up. The answer is how many were inside.
for i = 6, #ARGV do
	redis.call('ZREM', KEYS[1], ARGV[i])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local inside = redis.call('ZCARD', KEYS[1])
if inside < tonumber(ARGV[4]) then
	redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[5]), ARGV[3])
	redis.call('PEXPIRE', KEYS[1], ARGV[5] + 60000)
end
return inside
