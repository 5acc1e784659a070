-- Removes the generations of tags, and entries by their key. Gives how many valid entries were removed by key.
-- KEYS: the team's generations, then entries. ARGV: 1 where all of the team is meant, then the tags.
local function valid(key)
  local entry = redis.call('GET', key)
  local names = entry and tonumber(string.sub(entry, 1, 5))
  if not names then
    return false
  end
  local at, tags = 6 + names, 0
  for tag in string.gmatch(string.sub(entry, 6, 5 + names), '[^\n]+') do
    if redis.call('HGET', KEYS[1], tag) ~= string.sub(entry, at, at + 15) then
      return false
    end
    at, tags = at + 16, tags + 1
  end
  return tags > 0
end

local n = 0
for i = 2, #KEYS do
  if valid(KEYS[i]) then
    n = n + 1
  end
  redis.call('UNLINK', KEYS[i])
end
if ARGV[1] == '1' then
  redis.call('UNLINK', KEYS[1])
elseif #ARGV > 1 then
  redis.call('HDEL', KEYS[1], unpack(ARGV, 2))
end
return n
