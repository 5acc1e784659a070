-- ARGV[9] is what was used, ARGV[10] the reservation that ends, empty where there is none, ARGV[11] the lease of others in milliseconds.
pay()
if ARGV[10] ~= '' then
	held = held - release(ARGV[10])
end
debt = math.min(mostDebt, debt + tonumber(ARGV[9]))
pay()
write(tonumber(ARGV[11]))
return 1
