package render

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/value"
)

func TestYAMLLooksLikeThis(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{`null`, "null\n"},
		{`"text"`, "text\n"},
		{`{}`, "{}\n"},
		{`[]`, "[]\n"},
		{`{"a":{},"b":[],"c":null,"d":true,"e":"","f":false}`, "a: {}\nb: []\nc: null\nd: true\ne: \"\"\nf: false\n"},
		{`{"a":{"b":{"c":1}}}`, "a:\n  b:\n    c: 1\n"},
		{`{"a":[1,[2,[3]],{"b":4,"c":[5]}]}`, "a:\n  - 1\n  - - 2\n    - - 3\n  - b: 4\n    c:\n      - 5\n"},
		{`[9007199254740993,1.50,1e5,1.5E-7,-0,1E+2]`, "- 9007199254740993\n- 1.50\n- 1.0e+5\n- 1.5e-7\n- -0\n- 1.0e+2\n"},
		{`["yes","No","1","0x1F","1_000","2025-01-15","12:30","null","~"]`, "- \"yes\"\n- \"No\"\n- \"1\"\n- \"0x1F\"\n- \"1_000\"\n- \"2025-01-15\"\n- \"12:30\"\n- \"null\"\n- \"~\"\n"},
		{`["a: b","a #b"," a","a ","- a","größe","a, b (c)"]`, "- \"a: b\"\n- \"a #b\"\n- \" a\"\n- \"a \"\n- \"- a\"\n- größe\n- a, b (c)\n"},
		{`{"true":1,"1":2,"a b":3,"c:":4}`, "\"true\": 1\n\"1\": 2\na b: 3\n\"c:\": 4\n"},
		{`{"a":"one\ntwo","b":["one\n\n  two\n"]}`, "a: |-\n  one\n  two\nb:\n  - |\n    one\n\n      two\n"},
		{`"a\n"`, "\"a\\n\"\n"},
		{`"a\n\n"`, "\"a\\n\\n\"\n"},
		{`"\u0000\u007f\u0085\ufeff\uffff\ud83d\ude42"`, "\"\\x00\\x7F\\x85\\uFEFF\\uFFFF🙂\"\n"},
	} {
		if got := YAML.Text(decode(t, c.in)); got != c.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.in, got, c.want)
		}
	}
}

func TestYAMLReadsBackNastyTexts(t *testing.T) {
	t.Parallel()
	eachNasty(func(v value.Value) { checkYAML(t, v) })
}

func TestYAMLReadsBackLongKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("key of some length ", 70)
	for _, s := range []string{long, "x", `{"a":1}`, "[1]"} {
		v := value.Array(value.Object(value.Member{Name: long + s, Value: value.String(s)}, value.Member{Name: long, Value: value.Array(value.Object())}))
		if got := YAML.Text(v); !strings.Contains(got, "? \"") {
			t.Errorf("a key of %d bytes is written as %.20q", len(long+s), got)
		}
		checkYAML(t, v)
	}
}

func TestYAMLReadsBackInGo(t *testing.T) {
	t.Parallel()
	// This reader takes a number beyond the range of a double, and a whole one beyond 64 bits, for a string.
	inRange := numbers().Filter(func(v value.Value) bool {
		_, err := strconv.ParseFloat(v.Text(), 64)
		return err == nil && (strings.ContainsAny(v.Text(), ".eE") || len(v.Text()) < len("1000000000000000000"))
	})
	rapid.Check(t, func(t *rapid.T) { checkYAML(t, valuesOf(inRange).Draw(t, "value")) })
}

func checkYAML(t interface {
	Helper()
	Errorf(string, ...any)
}, v value.Value,
) {
	t.Helper()
	text := YAML.Text(v)
	got, err := readYAML(text)
	if err != nil || !value.Equal(got, v) {
		t.Errorf("value %s\nas YAML\n%s\nreads back as %s, %v", v, text, got, err)
	}
}

// readYAML reads a document by way of its syntax tree, which keeps the digits of numbers.
func readYAML(text string) (value.Value, error) {
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return value.Null(), err
	}
	if len(file.Docs) != 1 {
		return value.Null(), fmt.Errorf("%d documents", len(file.Docs))
	}
	return fromNode(file.Docs[0].Body)
}

func fromNode(n ast.Node) (value.Value, error) {
	switch n := n.(type) {
	case *ast.NullNode:
		return value.Null(), nil
	case *ast.BoolNode:
		return value.Bool(n.Value), nil
	case *ast.IntegerNode:
		return value.Number(n.Token.Value)
	case *ast.FloatNode:
		return value.Number(n.Token.Value)
	case *ast.StringNode:
		return value.String(n.Value), nil
	case *ast.LiteralNode:
		return value.String(n.Value.Value), nil
	case *ast.SequenceNode:
		var items []value.Value
		for _, item := range n.Values {
			v, err := fromNode(item)
			if err != nil {
				return value.Null(), err
			}
			items = append(items, v)
		}
		return value.Array(items...), nil
	case *ast.MappingNode:
		var members []value.Member
		for _, m := range n.Values {
			key, err := fromNode(m.Key)
			if err != nil {
				return value.Null(), err
			}
			if key.Kind() != value.KindString {
				return value.Null(), fmt.Errorf("a key is a %s", key.Kind())
			}
			v, err := fromNode(m.Value)
			if err != nil {
				return value.Null(), err
			}
			members = append(members, value.Member{Name: key.Text(), Value: v})
		}
		return value.Object(members...), nil
	case *ast.MappingKeyNode:
		return fromNode(n.Value)
	}
	return value.Null(), fmt.Errorf("a node of type %T", n)
}

// pyYAML answers each line of JSON {"yaml": text} with a line of JSON: the value that PyYAML reads, numbers as tagged texts.
const pyYAML = `
import json, sys, yaml
def tag(v):
    if isinstance(v, bool) or v is None: return v
    if isinstance(v, int): return {"int": str(v)}
    if isinstance(v, float): return {"float": repr(v)}
    if isinstance(v, str): return {"str": v}
    if isinstance(v, list): return [tag(x) for x in v]
    if isinstance(v, dict): return {"map": [[tag(k), tag(x)] for k, x in v.items()]}
    return {"other": str(type(v))}
for line in sys.stdin:
    try: out = tag(yaml.safe_load(json.loads(line)["yaml"]))
    except Exception as e: out = {"error": str(e)}
    print(json.dumps(out), flush=True)
`

// python is PyYAML in a process of its own.
type python struct {
	in  io.Writer
	out *bufio.Reader
}

func startPython(t *testing.T) *python {
	t.Helper()
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import yaml").Run(); err != nil {
		t.Skipf("SKIPPED: python3 with PyYAML is not here, so YAML 1.1 goes unchecked: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", pyYAML)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &python{in, bufio.NewReaderSize(out, 1<<20)}
}

func (p *python) check(t interface {
	Helper()
	Errorf(string, ...any)
}, v value.Value,
) {
	t.Helper()
	text := YAML.Text(v)
	line, err := json.Marshal(map[string]string{"yaml": text})
	if err != nil {
		t.Errorf("marshal: %v", err)
	}
	_, err = p.in.Write(append(line, '\n'))
	answer, readErr := p.out.ReadBytes('\n')
	if err = errors.Join(err, readErr); err != nil {
		t.Errorf("python: %v", err)
		return
	}
	got, err := value.Decode(answer, value.Limits{})
	if err == nil {
		err = sameAsTagged(v, got)
	}
	if err != nil {
		t.Errorf("value %s\nas YAML\n%s\nPyYAML reads %s: %v", v, text, answer, err)
	}
}

// sameAsTagged compares a value with what the script wrote.
func sameAsTagged(want, got value.Value) error {
	tag, inner := "", got
	if got.Kind() == value.KindObject && got.Len() == 1 {
		tag, inner = got.NameAt(0), got.At(0)
	}
	bad := fmt.Errorf("want %s, got %s", want, got)
	switch want.Kind() {
	case value.KindNull, value.KindBool:
		if !value.Equal(want, got) {
			return bad
		}
	case value.KindString:
		if tag != "str" || inner.Text() != want.Text() {
			return bad
		}
	case value.KindNumber:
		return sameNumber(want, tag, inner.Text())
	case value.KindArray:
		if got.Kind() != value.KindArray || got.Len() != want.Len() {
			return bad
		}
		for i := range want.Len() {
			if err := sameAsTagged(want.At(i), got.At(i)); err != nil {
				return err
			}
		}
	case value.KindObject:
		if tag != "map" || inner.Len() != want.Len() {
			return bad
		}
		for i := range want.Len() {
			pair := inner.At(i)
			if err := errors.Join(sameAsTagged(value.String(want.NameAt(i)), pair.At(0)), sameAsTagged(want.At(i), pair.At(1))); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameNumber allows for Python's floats: what it read must be the double nearest to the number.
func sameNumber(want value.Value, tag, text string) error {
	switch tag {
	case "int":
		if n, ok := new(big.Rat).SetString(text); ok && n.Cmp(want.Decimal().Rat()) == 0 {
			return nil
		}
	case "float":
		f, _ := strconv.ParseFloat(want.Text(), 64) // Out of range gives an infinity, as in Python.
		if g, err := strconv.ParseFloat(text, 64); err == nil && f == g {
			return nil
		}
	}
	return fmt.Errorf("want the number %s, got %s %s", want.Text(), tag, text)
}

func TestYAMLReadsBackInPython(t *testing.T) {
	t.Parallel()
	p := startPython(t)
	eachNasty(func(v value.Value) { p.check(t, v) })
	long := strings.Repeat("a key that is long: ", 60)
	p.check(t, value.Array(value.Object(value.Member{Name: long, Value: value.Array(value.Null())}, value.Member{Name: long + "2", Value: value.String("a\nb")})))
	rapid.Check(t, func(t *rapid.T) { p.check(t, values().Draw(t, "value")) })
}
