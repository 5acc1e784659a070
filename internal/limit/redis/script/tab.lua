-- KEYS[1] is the hash of a tab: s, n, p and limit of its state, what is held, what is owed. KEYS[2] are its reservations, "token units" by the millisecond at which
-- they lapse.
local mostLapsed, mostDebt, mostFull = 200, 2 ^ 52, 64

local function millis(t)
	return t[1] * 1000 + math.floor(t[2] / 1000000)
end

local function units(reservation)
	return tonumber(string.match(reservation, '(%d+)$'))
end

-- The reservations of processes that have died lapse. Those that a process did not hear of, and gives up, are at the end of the arguments.
local function release(reservation)
	if redis.call('ZREM', KEYS[2], reservation) == 1 then
		return units(reservation)
	end
	return 0
end

local kept = redis.call('HMGET', KEYS[1], 's', 'n', 'p', 'limit', 'held', 'debt')
local state = {tonumber(kept[1] or 0), tonumber(kept[2] or 0), tonumber(kept[3] or 0)}
local limited = tonumber(kept[4] or 0)
local debt = tonumber(kept[6] or 0)
local held = 0
if kept[5] and redis.call('EXISTS', KEYS[2]) == 1 then
	held = tonumber(kept[5])
else -- There are none, or the server had to make room and threw one of the two away.
	for _, reservation in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
		held = held + units(reservation)
	end
end
local before = held
for _, reservation in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', number(millis(now)), 'LIMIT', 0, mostLapsed)) do
	held = held - release(reservation)
end

-- pay counts as used what is owed, as far as the allowance goes, as Tab.pay does.
local function pay()
	if debt > 0 then
		state = suit(state, limited)
		limited = whole
		local steps, step, size = {}, unit, 1
		while size <= debt and not later(add(state, step), horizon) do
			steps[#steps + 1] = {size, step}
			step = add(step, step)
			size = size * 2
		end
		local paid = 0
		for i = #steps, 1, -1 do
			local after = add(state, steps[i][2])
			if paid + steps[i][1] <= debt and not later(after, horizon) then
				paid = paid + steps[i][1]
				state = after
			end
		end
		debt = debt - paid
	end
	state = settle(state, limited)
	limited = whole
end

-- full is the state as if all that is held or owed were used; beyond many whole limits the wait is told too short.
local function full()
	return add(state, times(math.min(held + debt, mostFull * whole)))
end

local function write(lease)
	if held <= 0 and debt == 0 and not later(state, now) then
		redis.call('DEL', KEYS[1], KEYS[2])
		return
	end
	redis.call('HSET', KEYS[1], 's', number(state[1]), 'n', number(state[2]), 'p', number(state[3]), 'limit', number(limited), 'held', number(math.max(0, held)),
		'debt', number(debt))
	local ttl = math.max(keep(full()), lease + 60000)
	redis.call('PEXPIRE', KEYS[1], ttl)
	redis.call('PEXPIRE', KEYS[2], ttl)
end
