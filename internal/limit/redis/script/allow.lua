-- KEYS[1] is a rate: "s n p limit". ARGV[9] is the cost; ARGV[10] is 1 where it is counted whatever is left, up to the whole limit. The answer is the time, the state
-- before, and whether the cost was admitted.
local s, n, p, w = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+) (%d+) (%d+)$')
local before = {tonumber(s or 0), tonumber(n or 0), tonumber(p or 0)}
w = tonumber(w or 0)
local cost = tonumber(ARGV[9])
local after = add(settle(before, w), times(cost))
local admitted = not later(after, horizon)
if not admitted and ARGV[10] == '1' then
	after = horizon
	admitted = true
end
if admitted and cost > 0 then
	redis.call('SET', KEYS[1], number(after[1]) .. ' ' .. number(after[2]) .. ' ' .. number(after[3]) .. ' ' .. number(whole), 'PX', keep(after))
end
return {now[1], now[2], before[1], before[2], before[3], w, admitted and 1 or 0}
