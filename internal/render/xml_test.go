package render

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/value"
)

const xmlHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

func TestXMLLooksLikeThis(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{`null`, "<result type=\"null\"/>\n"},
		{`""`, "<result></result>\n"},
		{`" a & <b> "`, "<result> a &amp; &lt;b&gt; </result>\n"},
		{`{}`, "<result type=\"object\"/>\n"},
		{`[]`, "<result type=\"array\"/>\n"},
		{`9007199254740993`, "<result type=\"number\">9007199254740993</result>\n"},
		{`false`, "<result type=\"boolean\">false</result>\n"},
		{
			`{"a":1.50,"größe":"x","1st name":true,"entry":null,"b":[1,[],{"c":"d"}]}`,
			"<result type=\"object\">\n  <a type=\"number\">1.50</a>\n  <größe>x</größe>\n  <entry key=\"1st name\" type=\"boolean\">true</entry>\n  <entry type=\"null\"/>\n" +
				"  <b type=\"array\">\n    <item type=\"number\">1</item>\n    <item type=\"array\"/>\n    <item type=\"object\">\n      <c>d</c>\n    </item>\n  </b>\n</result>\n",
		},
		{`{"xmlns":1,"a:b":2,"\"\n":3}`, "<result type=\"object\">\n  <entry key=\"xmlns\" type=\"number\">1</entry>\n  <entry key=\"a:b\" type=\"number\">2</entry>\n  <entry key=\"&quot;&#x000a;\" type=\"number\">3</entry>\n</result>\n"},
		{`"\u0000\\\r\n"`, "<result escaped=\"true\">\\u0000\\\\&#x000d;\n</result>\n"},
		{`{"a\u0001":"\\"}`, "<result type=\"object\">\n  <entry key=\"a\\u0001\" key-escaped=\"true\">\\</entry>\n</result>\n"},
	} {
		if got := XML.Text(decode(t, c.in)); got != xmlHead+c.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.in, got, xmlHead+c.want)
		}
	}
}

func TestXMLReadsBackNastyTexts(t *testing.T) {
	t.Parallel()
	eachNasty(func(v value.Value) { checkXML(t, v) })
}

func TestXMLReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { checkXML(t, values().Draw(t, "value")) })
}

func checkXML(t interface {
	Helper()
	Errorf(string, ...any)
}, v value.Value,
) {
	t.Helper()
	text := XML.Text(v)
	got, err := readXML(text)
	if err != nil || !value.Identical(got, v) {
		t.Errorf("value %s\nas XML\n%s\nreads back as %s, %v", v, text, got, err)
	}
}

// element is an element as encoding/xml reads it.
type element struct {
	name     string
	attr     map[string]string
	text     strings.Builder
	children []*element
}

// readXML reads a document by the mapping at appendXML, with the reader of the standard library.
func readXML(text string) (value.Value, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	root := &element{}
	stack := []*element{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return value.Null(), err
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text.Write(token)
		}
	}
	if len(root.children) != 1 || root.children[0].name != "result" {
		return value.Null(), errors.New("no element result")
	}
	return root.children[0].value()
}

func (e *element) value() (value.Value, error) {
	switch e.attr["type"] {
	case "":
		s, err := unescaped(e.text.String(), e.attr["escaped"])
		return value.String(s), err
	case "null":
		return value.Null(), nil
	case "boolean":
		return value.Bool(e.text.String() == "true"), nil
	case "number":
		return value.Number(e.text.String())
	}
	if strings.TrimSpace(e.text.String()) != "" {
		return value.Null(), fmt.Errorf("text %q inside an %s", e.text.String(), e.attr["type"])
	}
	var items []value.Value
	var members []value.Member
	for _, c := range e.children {
		v, err := c.value()
		if err != nil {
			return value.Null(), err
		}
		name, keyed := c.attr["key"]
		if !keyed {
			name = c.name
		} else if name, err = unescaped(name, c.attr["key-escaped"]); err != nil {
			return value.Null(), err
		}
		items, members = append(items, v), append(members, value.Member{Name: name, Value: v})
	}
	if e.attr["type"] == "array" {
		return value.Array(items...), nil
	}
	return value.Object(members...), nil
}

func unescaped(s, mark string) (string, error) {
	if mark != "true" {
		return s, nil
	}
	var out strings.Builder
	for len(s) > 0 {
		switch {
		case strings.HasPrefix(s, `\\`):
			out.WriteByte('\\')
			s = s[2:]
		case strings.HasPrefix(s, `\u`) && len(s) >= 6:
			n, err := strconv.ParseUint(s[2:6], 16, 16)
			if err != nil {
				return "", err
			}
			out.WriteRune(rune(n))
			s = s[6:]
		case s[0] == '\\':
			return "", fmt.Errorf("stray backslash in %q", s)
		default:
			out.WriteByte(s[0])
			s = s[1:]
		}
	}
	return out.String(), nil
}
