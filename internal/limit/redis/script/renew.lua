-- KEYS[1] are leases, KEYS[2], where there is one, the hash of their tab. ARGV[3] is the lease in milliseconds; ARGV[4] is 1 where leases that are not there are to
-- be made; then come the leases. The answer is how many were not there.
local until_, missing = string.format('%.0f', now + ARGV[3]), 0
for i = 5, #ARGV do
	if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
		redis.call('ZADD', KEYS[1], 'XX', until_, ARGV[i])
	else
		missing = missing + 1
		if ARGV[4] == '1' then
			redis.call('ZADD', KEYS[1], until_, ARGV[i])
			if KEYS[2] then
				redis.call('HDEL', KEYS[2], 'held') -- It is summed up anew.
			end
		end
	end
end
for _, key in ipairs(KEYS) do
	if redis.call('PTTL', key) < ARGV[3] + 60000 then
		redis.call('PEXPIRE', key, ARGV[3] + 60000)
	end
end
return missing
