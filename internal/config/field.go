package config

import (
	"reflect"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/provider/catalogue"
)

// kind is how a field is written.
type kind uint8

const (
	kindText kind = iota
	kindBool
	kindInt
	kindFloat
	kindDuration
	kindBytes
	kindUSD
	kindSecret
	kindLocator
	kindList    // of scalars
	kindObject  // a struct
	kindObjects // a list of structs
	kindTable   // names to secrets
)

// field is one key of the configuration, as its declaration says.
type field struct {
	name   string // the key in its object
	index  int    // of the struct's field
	kind   kind
	item   kind // of a list's entries
	typ    reflect.Type
	def    string
	text   string
	enum   []string
	min    string
	max    string
	format string
	live   bool
}

// fieldsOf reads the declarations of a struct. It panics on a declaration it does not understand: a programmer's error, found by any test.
func fieldsOf(t reflect.Type) []field {
	out := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		sf := t.Field(i)
		name := sf.Tag.Get("yaml")
		if name == "-" {
			continue
		}
		f := field{
			name: name, index: i, typ: sf.Type, def: sf.Tag.Get("default"), text: sf.Tag.Get("text"),
			min: sf.Tag.Get("min"), max: sf.Tag.Get("max"), format: sf.Tag.Get("format"), live: sf.Tag.Get("live") == "yes",
		}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, ",")
		}
		f.kind, f.item = kindOf(sf.Type)
		out = append(out, f)
	}
	return out
}

func kindOf(t reflect.Type) (whole, item kind) {
	switch t {
	case reflect.TypeFor[Secret]():
		return kindSecret, 0
	case reflect.TypeFor[Locator]():
		return kindLocator, 0
	case reflect.TypeFor[time.Duration]():
		return kindDuration, 0
	case reflect.TypeFor[Bytes]():
		return kindBytes, 0
	case reflect.TypeFor[catalogue.USD]():
		return kindUSD, 0
	case reflect.TypeFor[map[string]Secret]():
		return kindTable, kindSecret
	}
	switch t.Kind() {
	case reflect.String:
		return kindText, 0
	case reflect.Bool:
		return kindBool, 0
	case reflect.Int:
		return kindInt, 0
	case reflect.Float64:
		return kindFloat, 0
	case reflect.Struct:
		return kindObject, 0
	case reflect.Slice:
		inner, _ := kindOf(t.Elem())
		if inner == kindObject {
			return kindObjects, kindObject
		}
		return kindList, inner
	}
	panic("config: no way to write a " + t.String())
}

// one gives the field of a list's entries: the same declaration, an entry's type.
func (f field) one() field {
	e := f
	e.kind, e.typ = f.item, f.typ.Elem()
	return e
}

// Key is one key of the configuration for those who list them: the reference, the environment overlay, a doctor.
type Key struct {
	// Path is the key, such as cache.ttl; [] stands for any entry of a list.
	Path string
	// Variable is its environment variable; empty where it has none, inside lists of objects.
	Variable string
	// Type is its type in words.
	Type string
	// Default is its default as text.
	Default string
	// Text says what it is for.
	Text string
	// Live says that a reload takes a new value over.
	Live bool

	field field
	index []int // of the fields from the root; nil inside lists
}

// Keys lists every key in the order of the structure.
func Keys() []Key { return keysOf(reflect.TypeFor[Config](), "", []int{}, false) }

func keysOf(t reflect.Type, prefix string, index []int, live bool) []Key {
	var out []Key
	for _, f := range fieldsOf(t) {
		k := Key{Path: prefix + f.name, Type: f.words(), Default: f.def, Text: f.text, Live: live || f.live, field: f}
		if index != nil {
			k.index = append(append([]int{}, index...), f.index)
			if f.kind != kindObject {
				k.Variable = variableOf(k.Path)
			}
		}
		out = append(out, k)
		switch f.kind {
		case kindObject:
			out = append(out, keysOf(f.typ, k.Path+".", k.index, k.Live)...)
		case kindObjects:
			out = append(out, keysOf(f.typ.Elem(), k.Path+"[].", nil, k.Live)...)
		}
	}
	return out
}

// variableOf gives the environment variable of a path.
func variableOf(path string) string {
	return "PROMPTD_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// words gives the type for people.
func (f field) words() string {
	switch f.kind {
	case kindBool:
		return "true or false"
	case kindInt:
		return "whole number"
	case kindFloat:
		return "number"
	case kindDuration:
		return "duration"
	case kindBytes:
		return "size"
	case kindUSD:
		return "amount"
	case kindSecret:
		return "secret"
	case kindLocator:
		return "URL"
	case kindList:
		return "list"
	case kindObject:
		return "section"
	case kindObjects:
		return "list of sections"
	case kindTable:
		return "names to secrets"
	default:
		return "text"
	}
}
