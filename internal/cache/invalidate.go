package cache

import (
	"strings"

	"github.com/promptd/promptd/internal/fault"
)

// Tag names what an answer was made from, for one team. Tags are comparable; the zero Tag is carried by nothing.
type Tag struct {
	team  string
	kind  tagKind
	value string
}

type tagKind uint8

const (
	tagNone tagKind = iota
	tagAll
	tagKey
	tagSchema
	tagTemplate
)

// AllTag is carried by every entry of a team.
func AllTag(team string) Tag { return Tag{team: team, kind: tagAll} }

// KeyTag is carried by the one entry under the key.
func KeyTag(k Key) Tag { return Tag{team: k.team, kind: tagKey, value: string(k.sum[:])} }

// SchemaTag is carried by entries made with a registered schema: by name alone those of every version, as name@version those of one.
func SchemaTag(team, ref string) Tag { return Tag{team: team, kind: tagSchema, value: ref} }

// TemplateTag is carried by entries made with a template: by name alone those of every version, as name@version those of one.
func TemplateTag(team, ref string) Tag { return Tag{team: team, kind: tagTemplate, value: ref} }

// SchemaTags gives the tags of an entry made with a schema reference (name@version): that of the version and that of the name.
func SchemaTags(team, ref string) []Tag { return both(SchemaTag(team, ref)) }

// TemplateTags gives the tags of an entry made with a template reference (name@version): that of the version and that of the name.
func TemplateTags(team, ref string) []Tag { return both(TemplateTag(team, ref)) }

func both(t Tag) []Tag {
	name, _, versioned := strings.Cut(t.value, "@")
	if !versioned {
		return []Tag{t}
	}
	whole := t
	whole.value = name
	return []Tag{t, whole}
}

// Team gives the team of the tag.
func (t Tag) Team() string { return t.team }

// Size gives the bytes of the tag's texts, for tiers that count memory.
func (t Tag) Size() int { return len(t.team) + len(t.value) }

// Key gives the key that a tag of KeyTag names.
func (t Tag) Key() (Key, bool) {
	if t.kind != tagKey {
		return Key{}, false
	}
	k := Key{team: t.team}
	copy(k.sum[:], t.value)
	return k, true
}

// String gives the tag without its team, as in the query of DELETE /v1/cache: schema=invoice@3.
func (t Tag) String() string {
	switch t.kind {
	case tagAll:
		return "all=true"
	case tagKey:
		k, _ := t.Key()
		return "key=" + k.String()
	case tagSchema:
		return "schema=" + t.value
	case tagTemplate:
		return "template=" + t.value
	case tagNone:
	}
	return ""
}

// ParseTag reads one parameter of DELETE /v1/cache for the team that asks: all=true, key=…, schema=name[@version],
// template=name[@version]. What it refuses is a Fault.
func ParseTag(team, name, value string) (Tag, error) {
	switch name {
	case "all":
		if value != "true" {
			return Tag{}, fault.Invalid("", "value", "all takes the value true alone", "send all=true, or name a schema, template or key")
		}
		return AllTag(team), nil
	case "key":
		k, err := ParseKey(team, value)
		if err != nil {
			return Tag{}, fault.Invalid("", "format", "key is not a cache key", "send the cache_key of an answer: 64 hexadecimal digits").Because(err)
		}
		return KeyTag(k), nil
	case "schema", "template":
		if ref, version, versioned := strings.Cut(value, "@"); ref == "" || versioned && version == "" || strings.Contains(version, "@") {
			return Tag{}, fault.Invalid("", "format", name+" is not a name or name@version", "send "+name+"=name or "+name+"=name@version")
		}
		if name == "schema" {
			return SchemaTag(team, value), nil
		}
		return TemplateTag(team, value), nil
	}
	return Tag{}, fault.Invalid("", "unknown_field", "there is no such selection of cache entries", "use one of all, key, schema, template")
}
