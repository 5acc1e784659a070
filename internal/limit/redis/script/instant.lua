-- What every script of rates begins with. An instant or a stretch of time is {s, n, p}: s seconds, n nanoseconds and p/whole of a nanosecond. Lua counts in doubles,
-- which are exact below 2^53; no part comes near it: whole is at most 2^40, and a period at most 2^25 seconds.
local unit = {tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])} -- What a cost of one is worth: period/limit.
local whole = tonumber(ARGV[6])                                       -- The limit.
local billion = 1000000000

local function add(a, b)
	local s, n, p = a[1] + b[1], a[2] + b[2], a[3] + b[3]
	if p >= whole then
		p = p - whole
		n = n + 1
	end
	if n >= billion then
		n = n - billion
		s = s + 1
	end
	return {s, n, p}
end

local function later(a, b)
	if a[1] ~= b[1] then
		return a[1] > b[1]
	end
	if a[2] ~= b[2] then
		return a[2] > b[2]
	end
	return a[3] > b[3]
end

-- times is what a cost is worth: by doubling, for a product would not be exact.
local function times(cost)
	local sum, step = {0, 0, 0}, unit
	while cost > 0 do
		if cost % 2 == 1 then
			sum = add(sum, step)
		end
		cost = math.floor(cost / 2)
		step = add(step, step)
	end
	return sum
end

-- Every process counts by this server's clock; a test brings its own.
local now
if ARGV[1] == '' then
	local t = redis.call('TIME')
	now = {tonumber(t[1]), tonumber(t[2]) * 1000, 0}
else
	now = {tonumber(ARGV[1]), tonumber(ARGV[2]), 0}
end
local horizon = add(now, {tonumber(ARGV[7]), tonumber(ARGV[8]), 0}) -- A period from now.

-- suit brings a state to the policy, as State.suit does; w is the limit that its fraction was counted with.
local function suit(t, w)
	if w ~= whole then -- A fraction that cannot be kept is rounded up.
		if t[3] > 0 then
			t = add({t[1], t[2], 0}, {0, 1, 0})
		else
			t = {t[1], t[2], 0}
		end
	end
	if not later(horizon, {t[1], t[2], 0}) then
		return horizon
	end
	return t
end

-- settle brings it to the present as well.
local function settle(t, w)
	if not later(t, now) then
		return now
	end
	return suit(t, w)
end

-- keep is how long a key is worth keeping whose last instant is t, in milliseconds. The minute is for a replica that takes over with a clock that is behind; what is
-- kept too long costs memory alone.
local function keep(t)
	return math.max(0, t[1] - now[1] + 1) * 1000 + 60000
end

local function number(n)
	return string.format('%.0f', n)
end
