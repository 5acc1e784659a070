package redis

import "strings"

// Key gives the name of a key: the prefix, the slot in braces, and the parts behind it, separated by colons. Keys of one slot lie on one server of a
// cluster, so one script can use them together. No two slots give the same name, whatever characters they have.
func (c *Client) Key(slot string, parts ...string) string {
	size := len(c.prefix) + len(slot) + 2
	for _, p := range parts {
		size += 1 + len(p)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(c.prefix)
	b.WriteByte('{')
	if slot == "" || strings.ContainsAny(slot, "{}%") {
		// Braces would end the slot early; an empty one is none.
		slot = "%" + strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D").Replace(slot)
	}
	b.WriteString(slot)
	b.WriteByte('}')
	for _, p := range parts {
		b.WriteByte(':')
		b.WriteString(p)
	}
	return b.String()
}
