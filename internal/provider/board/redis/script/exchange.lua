-- KEYS[1] holds the notices by process, "milliseconds text": until when they stay. ARGV[1] is the process, ARGV[2] its notice, ARGV[3] how long that stays in
-- milliseconds. The answer are the others' notices.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[3]) .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local all, others = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
	if all[i] ~= ARGV[1] then
		local stays, text = string.match(all[i + 1], '^(%d+) (.*)$')
		if stays and tonumber(stays) > now then
			others[#others + 1] = text
		else
			redis.call('HDEL', KEYS[1], all[i])
		end
	end
end
return others
