-- Writes how a lead stands where the token still holds it: renewed, or ended. Gives 1 where it does, otherwise 0.
-- KEYS: the lead. ARGV: the token, the mark to write, for how many ms.
if redis.call('GET', KEYS[1]) ~= '=' .. ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2] .. ARGV[1], 'PX', ARGV[3])
return 1
