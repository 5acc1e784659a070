-- KEYS[1] are leases, KEYS[2], where there is one, the hash of their tab. The arguments are leases that are given up.
for _, lease in ipairs(ARGV) do
	if redis.call('ZREM', KEYS[1], lease) == 1 and KEYS[2] then
		redis.call('HDEL', KEYS[2], 'held') -- It is summed up anew.
	end
end
return 1
