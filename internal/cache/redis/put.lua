-- Stores an entry under the present generations of its tags, and gives a new one to each tag that has none. Says whether there was an entry.
-- KEYS: the entry, the team's generations. ARGV: the value, its time to live in ms, a new generation, the tags.
local tags = {unpack(ARGV, 4)}
local generations = redis.call('HMGET', KEYS[2], unpack(tags))
local new = {}
for i = 1, #tags do
  if not generations[i] then
    generations[i] = ARGV[3]
    new[#new + 1] = tags[i]
    new[#new + 1] = ARGV[3]
  end
end
if #new > 0 then
  redis.call('HSET', KEYS[2], unpack(new))
end
-- The generations outlive every entry: a day, and an hour so that this is seldom written.
if redis.call('PTTL', KEYS[2]) < 86400000 then
  redis.call('PEXPIRE', KEYS[2], 90000000)
end
local before = redis.call('EXISTS', KEYS[1])
local names = table.concat(tags, '\n')
redis.call('SET', KEYS[1], string.format('%05d', #names) .. names .. table.concat(generations) .. ARGV[1], 'PX', ARGV[2])
return before
