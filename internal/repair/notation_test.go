package repair_test

import (
	"testing"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/value"
)

func mustDecode(tb testing.TB, text string) value.Value {
	tb.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		tb.Fatalf("decode %s: %v", text, err)
	}
	return v
}

// notationCase is an answer in another notation and the value that it means.
type notationCase struct {
	name, text, schema, want string
	unfinished               bool
}

func (c notationCase) check(t *testing.T, h repair.Hints, kind repair.Kind) {
	t.Helper()
	if c.schema != "" {
		h.Schema = repair.ShapeOf(mustDecode(t, c.schema))
	}
	got, err := repair.Read(c.text, h)
	if err != nil {
		t.Fatalf("read %q: %v", c.text, err)
	}
	if want := mustDecode(t, c.want); !value.Identical(got.Value, want) {
		t.Errorf("read %q\n got  %s\n want %s\n repairs %v", c.text, got.Value, want, got.Repairs)
	}
	if got.Unfinished != c.unfinished {
		t.Errorf("read %q: unfinished is %v", c.text, got.Unfinished)
	}
	seen := false
	for _, r := range got.Repairs {
		seen = seen || r.Kind == kind
	}
	if !seen {
		t.Errorf("read %q: the repairs %v do not say %s", c.text, got.Repairs, kind)
	}
}

func TestYAMLIsReadWhereAsked(t *testing.T) {
	t.Parallel()
	cases := []notationCase{
		{name: "scalars", text: "a: 1\nb: x y\nc: true\nd: null\ne: ~\nf: \"q\\n\"\ng: 'it''s'\nh: 1.50\n", want: `{"a":1,"b":"x y","c":true,"d":null,"e":null,"f":"q\n","g":"it's","h":1.50}`},
		{name: "nesting", text: "a:\n  b:\n    c: 1\n  d: 2\ne: 3", want: `{"a":{"b":{"c":1},"d":2},"e":3}`},
		{name: "compact items", text: "items:\n- name: x\n  n: 1\n- name: y\n  n: 2\ntotal: 3\n", want: `{"items":[{"name":"x","n":1},{"name":"y","n":2}],"total":3}`},
		{name: "nested sequences", text: "- - 1\n  - 2\n- - 3\n", want: `[[1,2],[3]]`},
		{name: "flow", text: "a: [1, \"x\", {\"b\": 2}]\nc: {}\nd: []\n", want: `{"a":[1,"x",{"b":2}],"c":{},"d":[]}`},
		{name: "literal block", text: "a: |\n  one\n    two\n\n  three\nb: 1\n", want: `{"a":"one\n  two\n\nthree\n","b":1}`},
		{name: "folded block", text: "a: >-\n  one\n  two\nb: 1\n", want: `{"a":"one two","b":1}`},
		{name: "plain over lines", text: "a: one\n  two\n  three\nb: 1\n", want: `{"a":"one two three","b":1}`},
		{name: "comments", text: "# head\na: 1 # one\n# between\nb: x#y\n", want: `{"a":1,"b":"x#y"}`},
		{name: "document marks", text: "---\na: 1\n...\n", want: `{"a":1}`},
		{name: "fence and prose", text: "Here you are:\n\n```yaml\na: 1\nb:\n  - x\n```\nDone.", want: `{"a":1,"b":["x"]}`},
		{name: "reasoning", text: "<think>\na: no\n</think>\na: 1\n", want: `{"a":1}`},
		{name: "prose before and behind", text: "Here it is:\n\na: 1\nb: 2\n\nHope that helps!\n", want: `{"a":1,"b":2}`, schema: `{"required":["a"],"properties":{"a":{},"b":{}}}`},
		{name: "colons and times", text: "url: https://x.example/y:z\nat: 10:30:00\n", want: `{"url":"https://x.example/y:z","at":"10:30:00"}`},
		{name: "texts that look like numbers", text: "zip: 01234\nn: 12\n", schema: `{"properties":{"zip":{"type":"string"},"n":{"type":"string"}}}`, want: `{"zip":"01234","n":"12"}`},
		{name: "a later name counts", text: "a: 1\nb: 2\na: 3\n", want: `{"a":3,"b":2}`},
		{name: "a name without a value at the end", text: "a: 1\nb:", want: `{"a":1,"b":null}`, unfinished: true},
		{name: "a quote without an end", text: "a: 1\nb: \"x y", want: `{"a":1,"b":"x y"}`, unfinished: true},
		{name: "a fence without an end", text: "```yaml\na: 1\nb: 2\n", want: `{"a":1,"b":2}`, unfinished: true},
		{name: "windows lines", text: "a: 1\r\nb:\r\n  - x\r\n", want: `{"a":1,"b":["x"]}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t, repair.Hints{YAML: true}, repair.KindYAML)
		})
	}
}

func TestXMLIsReadWhereAsked(t *testing.T) {
	t.Parallel()
	const order = `{"required":["id"],"properties":{"id":{"type":"string"},"n":{"type":"integer"},"ok":{"type":"boolean"},"note":{"type":["null","number"]},
		"items":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"},"qty":{"type":"integer"}}}},"tags":{"type":"array","items":{"type":"string"}}}}`
	cases := []notationCase{
		{name: "typed by the schema", text: "<order><id>007</id><n>12</n><ok>true</ok><note/></order>", schema: order, want: `{"id":"007","n":12,"ok":true,"note":null}`},
		{name: "without a schema all is text", text: "<r><a>1</a><b>true</b></r>", want: `{"a":"1","b":"true"}`},
		{name: "repeated elements", text: "<r><a>1</a><a>2</a><b>3</b></r>", want: `{"a":["1","2"],"b":"3"}`},
		{name: "one item", text: "<o><id>1</id><tags>x</tags><items><sku>a</sku><qty>2</qty></items></o>", schema: order, want: `{"id":"1","tags":["x"],"items":[{"sku":"a","qty":2}]}`},
		{
			name: "wrapped items", text: "<o><id>1</id><items><item><sku>a</sku><qty>2</qty></item></items><tags><tag>x</tag><tag>y</tag></tags></o>", schema: order,
			want: `{"id":"1","items":[{"sku":"a","qty":2}],"tags":["x","y"]}`,
		},
		{name: "several at the top", text: "<id>5</id>\n<n>6</n>", schema: order, want: `{"id":"5","n":6}`},
		{name: "an array at the top", text: "<x><a>1</a></x><x><a>2</a></x>", want: `[{"a":"1"},{"a":"2"}]`},
		{name: "attributes", text: `<r id="5" xmlns:x="y"><n>1</n></r>`, schema: order, want: `{"id":"5","n":1}`},
		{name: "entities and character data", text: "<r><id>a &amp; b &#8364; &lt;c&gt; &x</id><b><![CDATA[<i>]]></b></r>", want: `{"id":"a & b € <c> &x","b":"<i>"}`},
		{name: "declaration, comment, prose, fence", text: "Sure:\n```xml\n<?xml version=\"1.0\"?>\n<!-- c --><r><a>1</a><b>2</b></r>\n```\nDone", want: `{"a":"1","b":"2"}`},
		{name: "cut in an element", text: "<r><a>1</a><b>2", want: `{"a":"1","b":"2"}`, unfinished: true},
		{name: "cut behind an element", text: "<r><a>1</a>", want: `{"a":"1"}`, unfinished: true},
		{name: "a wrong end tag", text: "<r><a>1</a><b><c>2</c></r>", want: `{"a":"1","b":{"c":"2"}}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t, repair.Hints{XML: true}, repair.KindXML)
		})
	}
}

func TestOtherNotationsAreNotReadUnasked(t *testing.T) {
	t.Parallel()
	shape := repair.ShapeOf(mustDecode(t, `{"type":"object"}`))
	for _, text := range []string{"a: 1\nb:\n  - x\n", "<r><a>1</a></r>"} {
		if got, err := repair.Read(text, repair.Hints{Schema: shape}); err == nil {
			t.Errorf("read %q: %s", text, got.Value)
		}
	}
}

func TestJSONIsReadAsJSONWhereOtherNotationsAreAsked(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"Here:\n```json\n{\"a\": 1,}\n```", "{\"a\": 1, // x\n}", "<answer>{\"a\": 1}</answer>", "{'a': 1}"} {
		got, err := repair.Read(text, repair.Hints{YAML: true, XML: true, Schema: repair.ShapeOf(mustDecode(t, `{"type":"object","properties":{"a":{}}}`))})
		if err != nil || !value.Identical(got.Value, mustDecode(t, `{"a":1}`)) {
			t.Errorf("read %q: %s, %v", text, got.Value, err)
		}
	}
}
