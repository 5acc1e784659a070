-- Gives an entry whose tags all have the generations that are written in it, and the milliseconds that it lives on; otherwise nothing.
-- KEYS: the entry, the team's generations.
local entry = redis.call('GET', KEYS[1])
if not entry then
  return false
end
local names = tonumber(string.sub(entry, 1, 5))
if not names then
  return false
end
local tags = {}
for tag in string.gmatch(string.sub(entry, 6, 5 + names), '[^\n]+') do
  tags[#tags + 1] = tag
end
local at = 6 + names
if #tags == 0 then
  return false
end
local now = redis.call('HMGET', KEYS[2], unpack(tags))
for i = 1, #tags do
  if now[i] ~= string.sub(entry, at, at + 15) then
    return false
  end
  at = at + 16
end
return {entry, redis.call('PTTL', KEYS[1])}
