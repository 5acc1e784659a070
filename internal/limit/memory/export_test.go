package memory

// Held gives the number of keys in memory, idle ones included.
func (l *Limiter) Held() int {
	n := 0
	for i := range l.shard {
		l.shard[i].mu.Lock()
		n += len(l.shard[i].keys)
		l.shard[i].mu.Unlock()
	}
	return n
}
