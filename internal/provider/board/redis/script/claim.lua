-- KEYS[1] is a leave, ARGV[1] who wants it, ARGV[2] for how many milliseconds. The answer is 1 where it is theirs.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
