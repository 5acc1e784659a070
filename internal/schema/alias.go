package schema

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// aliases gives other names of the i-th enum member of a node: display names that schemas carry for people and generators, which models
// like to answer with. They judge nothing and are readings for lenient coercion alone.
func (n *node) aliases(i int) []string {
	var names []string
	add := func(v value.Value) {
		if v.Kind() == value.KindString {
			names = append(names, v.Text())
		}
		for _, item := range v.Items() {
			if item.Kind() == value.KindString {
				names = append(names, item.Text())
			}
		}
	}
	if list, ok := n.raw.Get("x-aliases"); ok {
		if alias, ok := list.Get(n.enum[i].Text()); ok {
			add(alias)
		}
	}
	for _, keyword := range []string{"enumNames", "x-enumNames", "x-enum-varnames"} {
		if list, ok := n.raw.Get(keyword); ok && list.Kind() == value.KindArray && i < list.Len() {
			add(list.At(i))
		}
	}
	if title, ok := n.raw.Get("title"); ok && len(n.enum) == 1 {
		add(title)
	}
	return names
}

// mentioned gives the enum member that a text mentions most often, by its name or an alias; where two are level there is none.
func (w *wants) mentioned(s string) []value.Value {
	text := " " + strings.ReplaceAll(words(s), " ", "  ") + " "
	best, level := 0, false
	var found value.Value
	for _, n := range w.some {
		for i, e := range n.enum {
			count := 0
			for _, name := range append([]string{plainText(e)}, n.aliases(i)...) {
				if name = words(name); name != "" {
					count = max(count, strings.Count(text, " "+strings.ReplaceAll(name, " ", "  ")+" "))
				}
			}
			switch {
			case count == 0 || count < best:
			case count == best:
				level = level || !value.Equal(found, e)
			default:
				best, level, found = count, false, e
			}
		}
	}
	if best == 0 || level {
		return nil
	}
	return []value.Value{found}
}

func plainText(v value.Value) string {
	if v.Kind() == value.KindString {
		return v.Text()
	}
	return v.String()
}
