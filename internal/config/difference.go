package config

import (
	"reflect"
	"slices"
)

// Difference is a key that a reload would change.
type Difference struct {
	// Path is the key; providers count as one.
	Path string
	// Live says that the new value is taken over at once; otherwise it needs a restart.
	Live bool
}

// Differences lists the keys whose values differ, secrets included, in the order of the structure.
func Differences(before, after *Config) []Difference {
	a, b := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	var out []Difference
	for _, k := range Keys() {
		if k.Variable == "" {
			continue
		}
		x, y := a.FieldByIndex(k.index), b.FieldByIndex(k.index)
		if !equal(k.field, x, y) {
			out = append(out, Difference{Path: k.Path, Live: k.Live})
		}
	}
	return out
}

// equal compares values and not references: the same key from another file has not changed.
func equal(f field, x, y reflect.Value) bool {
	switch f.kind {
	case kindLocator:
		return x.Interface().(Locator).Equal(y.Interface().(Locator))
	case kindObjects:
		return slices.EqualFunc(x.Interface().([]Provider), y.Interface().([]Provider), sameProvider)
	default:
		return reflect.DeepEqual(x.Interface(), y.Interface())
	}
}

func sameProvider(a, b Provider) bool {
	sameKeys := slices.EqualFunc(a.Credentials(), b.Credentials(), Secret.Equal)
	// References are left out of the comparison, values are compared above.
	return sameKeys && reflect.DeepEqual(withoutReferences(a), withoutReferences(b))
}

func withoutReferences(p Provider) Provider {
	p.APIKey, p.APIKeys = Secret{}, nil
	p.Auth.AccessKey.ref, p.Auth.SecretKey.ref, p.Auth.SessionToken.ref = "", "", ""
	if p.Headers != nil {
		headers := make(map[string]Secret, len(p.Headers))
		for name, s := range p.Headers {
			headers[name] = Secret{value: s.value}
		}
		p.Headers = headers
	}
	return p
}
