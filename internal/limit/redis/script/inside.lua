-- The answer is how many are inside.
return redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
