package damage

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// asXML writes a value as elements: members by their names, items as repeated elements, types unsaid.
func asXML(v value.Value) string {
	var out strings.Builder
	writeXML(&out, "answer", v)
	return out.String()
}

func writeXML(out *strings.Builder, name string, v value.Value) {
	if !identifier(name) {
		name = "field"
	}
	if v.Kind() == value.KindArray && v.Len() > 0 {
		for _, item := range v.Items() {
			writeXML(out, name, item)
		}
		return
	}
	out.WriteString("<" + name + ">")
	if v.Kind() == value.KindObject {
		for member, inner := range v.Members() {
			writeXML(out, member, inner)
		}
	} else if v.Kind() != value.KindNull {
		text := v.Text()
		if text == "" && v.Kind() == value.KindBool {
			text = v.String()
		}
		out.WriteString(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text))
	}
	out.WriteString("</" + name + ">\n")
}

// asYAML writes a value as block YAML.
func asYAML(v value.Value) string {
	var out strings.Builder
	writeYAML(&out, v, "")
	return out.String()
}

func writeYAML(out *strings.Builder, v value.Value, indent string) {
	switch {
	case v.Kind() == value.KindObject && v.Len() > 0:
		for name, member := range v.Members() {
			out.WriteString(indent + yamlText(name) + ":")
			writeYAMLBehind(out, member, indent)
		}
	case v.Kind() == value.KindArray && v.Len() > 0:
		for _, item := range v.Items() {
			out.WriteString(indent + "-")
			writeYAMLBehind(out, item, indent)
		}
	default:
		out.WriteString(indent + yamlScalar(v) + "\n")
	}
}

// writeYAMLBehind writes a value behind a name or a dash: a scalar on the same line, the rest below.
func writeYAMLBehind(out *strings.Builder, v value.Value, indent string) {
	if isScalar(v) || v.Len() == 0 {
		out.WriteString(" " + yamlScalar(v) + "\n")
		return
	}
	out.WriteString("\n")
	writeYAML(out, v, indent+"  ")
}

func yamlScalar(v value.Value) string {
	if v.Kind() == value.KindString {
		return yamlText(v.Text())
	}
	return v.String()
}

func yamlText(s string) string {
	if words(s) && !reserved(s) && !strings.EqualFold(s, "yes") && !strings.EqualFold(s, "no") {
		return s
	}
	return string(value.AppendQuoted(nil, s))
}
