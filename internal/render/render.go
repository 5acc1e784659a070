// Package render writes a value as text in one of the output formats: json, yaml, xml or toon.
//
// It is not for reading model output (package repair) nor requests (package value), and it judges nothing: what it is given has
// already passed. The one reader here, [DecodeTOON], is for callers who send TOON and for tests.
//
// The main type is [Format]. Each format is one file and one total function: every value can be written in every format, and
// a reader of that format gets the same value back, numbers to their last digit. Where a format has no direct way to say
// something, its file says which reversible rule is used instead.
package render

import (
	"strings"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// Format is an output format. The zero Format is JSON.
type Format uint8

// The formats.
const (
	JSON Format = iota
	XML
	TOON
	YAML
)

// Formats lists every format in the order of the reference.
func Formats() []Format { return []Format{JSON, XML, TOON, YAML} }

// Parse finds a format by its name, where no name means JSON. What it refuses is a Fault at the field format.
func Parse(name string) (Format, error) {
	if name == "" {
		return JSON, nil
	}
	names := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		if f.String() == name {
			return f, nil
		}
		names = append(names, f.String())
	}
	return JSON, fault.Invalid("/format", "enum", "there is no such output format", "use one of "+strings.Join(names, ", "))
}

// String gives the format's name.
func (f Format) String() string {
	switch f {
	case JSON:
		return "json"
	case XML:
		return "xml"
	case TOON:
		return "toon"
	case YAML:
		return "yaml"
	}
	return ""
}

// MediaType gives the format's media type.
func (f Format) MediaType() string {
	switch f {
	case JSON:
		return "application/json"
	case XML:
		return "application/xml"
	case TOON:
		return "text/toon"
	case YAML:
		return "application/yaml"
	}
	return ""
}

// Append writes the value behind dst.
func (f Format) Append(dst []byte, v value.Value) []byte {
	switch f {
	case XML:
		return appendXML(dst, v)
	case TOON:
		return appendTOON(dst, v, ',')
	case YAML:
		return appendYAML(dst, v)
	case JSON:
	}
	return appendJSON(dst, v)
}

// Text gives the value as text.
func (f Format) Text(v value.Value) string { return string(f.Append(nil, v)) }
