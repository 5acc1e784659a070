-- ARGV[9] is the cost, ARGV[10] the reservation, ARGV[11] its lease in milliseconds; then come reservations that are given up. The answer is the time, the tab before,
-- and whether the cost is held.
for i = 12, #ARGV do
	held = held - release(ARGV[i])
end
local cost, lease = tonumber(ARGV[9]), tonumber(ARGV[11])
local answer = {now[1], now[2], state[1], state[2], state[3], limited, math.max(0, held), debt, 0}
local changed = held ~= before
local s, l, d = state, limited, debt
pay()
if cost > 0 and not later(add(full(), times(cost)), horizon) then
	redis.call('ZADD', KEYS[2], number(millis(now) + lease), ARGV[10])
	held = held + cost
	answer[9] = 1
	changed = true
else
	state, limited, debt = s, l, d
end
if changed then
	write(lease)
end
return answer
