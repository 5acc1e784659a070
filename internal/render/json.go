package render

import "github.com/promptd/promptd/internal/value"

// appendJSON writes compact JSON: the value's own order and the digits as they came.
func appendJSON(dst []byte, v value.Value) []byte { return v.Append(dst) }
