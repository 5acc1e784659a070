package dialect

// Format is a wire format that callers speak to promptd, besides promptd's own.
type Format uint8

// The formats of OpenAI's API.
const (
	// Chat is that of chat completions.
	Chat Format = iota
	// Responses is that of the Responses API.
	Responses
)

// Carrier is a dialect whose services take requests of such a format as they come, and answer in it: their bytes are relayed and not translated.
type Carrier interface {
	Dialect
	// Carries gives the path below the base URL at which the services take the format; false where they do not. What comes back is read by Decode, Stream
	// and Fail.
	Carries(Format) (path string, ok bool)
}
