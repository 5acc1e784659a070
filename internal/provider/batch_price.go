package provider

// BatchPrice is what a model's tokens cost in a batch: the price of batches where it is listed, else half of the ordinary one, which every service with batches
// asks.
// 2026-11: OpenAI, Anthropic and Google say 50 % in their guides; the price list has what they say of each model.
func (m *Model) BatchPrice() Price {
	if m.Batch.Known || !m.Price.Known {
		return m.Batch
	}
	return m.Price.half()
}

// half is half of a price. What can't be halved is rounded up: it bounds what is reserved.
func (p Price) half() Price {
	halve := func(prices ...*int64) {
		for _, n := range prices {
			*n = *n/2 + *n%2
		}
	}
	halve(&p.Input, &p.CachedInput, &p.CacheWrite, &p.LongCacheWrite, &p.Output, &p.Reasoning)
	above := make([]Step, len(p.Above))
	copy(above, p.Above)
	for i := range above {
		s := &above[i]
		halve(&s.Input, &s.CachedInput, &s.CacheWrite, &s.LongCacheWrite, &s.Output, &s.Reasoning)
	}
	p.Above = above
	return p
}
