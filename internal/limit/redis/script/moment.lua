-- now is this server's time in milliseconds; a test brings its own as seconds and nanoseconds.
local now
if ARGV[1] == '' then
	local t = redis.call('TIME')
	now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
else
	now = tonumber(ARGV[1]) * 1000 + math.floor(tonumber(ARGV[2]) / 1000000)
end
