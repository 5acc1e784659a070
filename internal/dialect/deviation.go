package dialect

// Deviations are what a service does differently from its dialect. Each has a name in the catalogue and in the configuration; the zero value has none.
// They are about chat completions, the format that everybody copies; other dialects take no notice.
type Deviations struct {
	// MaxTokens: reasoning models too are given max_tokens, because max_completion_tokens is refused or ignored.
	MaxTokens bool
	// MaxCompletionTokens: every model is given max_completion_tokens.
	MaxCompletionTokens bool
	// NoStreamOptions: stream_options is refused; streams may come without usage.
	NoStreamOptions bool
	// NoStrict: schemas are sent with strict false.
	NoStrict bool
	// RequireParameters: a router is told to choose only providers that honour the schema; else it drops it without a word.
	RequireParameters bool
	// NoStore: store false is sent.
	NoStore bool
	// TemperatureBelow2: the highest temperature is 1.99.
	TemperatureBelow2 bool
}

// deviation is the name of a switch.
type deviation struct {
	name string
	of   func(*Deviations) *bool
}

func deviations() []deviation {
	return []deviation{
		{"max_tokens", func(d *Deviations) *bool { return &d.MaxTokens }},
		{"max_completion_tokens", func(d *Deviations) *bool { return &d.MaxCompletionTokens }},
		{"no_stream_options", func(d *Deviations) *bool { return &d.NoStreamOptions }},
		{"no_strict", func(d *Deviations) *bool { return &d.NoStrict }},
		{"require_parameters", func(d *Deviations) *bool { return &d.RequireParameters }},
		{"no_store", func(d *Deviations) *bool { return &d.NoStore }},
		{"temperature_below_2", func(d *Deviations) *bool { return &d.TemperatureBelow2 }},
	}
}

// DeviationNames lists the names of the deviations.
func DeviationNames() []string {
	var names []string
	for _, d := range deviations() {
		names = append(names, d.name)
	}
	return names
}

// Set turns a deviation on by its name; false where there is none of that name.
func (d *Deviations) Set(name string) bool {
	for _, one := range deviations() {
		if one.name == name {
			*one.of(d) = true
			return true
		}
	}
	return false
}
