package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a source: far above any honest configuration, so that a wrong file ends with a clear error and not with the memory.
const (
	maxSource = 4 << 20
	maxNodes  = 200_000
)

// decoder puts one YAML source into the structure.
type decoder struct {
	*loader
	source  string // the file or the variable
	anchors map[string]ast.Node
	nodes   int
}

// parseYAML gives the root node of a source; nil where it is empty.
func (l *loader) parseYAML(source string, data []byte) (root ast.Node, ok bool) {
	if len(data) > maxSource {
		l.add(Problem{Place: Place{Source: source}, Message: fmt.Sprintf("is larger than %d bytes", maxSource)})
		return nil, false
	}
	defer func() {
		// The parser indexes into its tokens without care for what no person would write.
		if recover() != nil {
			l.add(Problem{Place: Place{Source: source}, Message: "is not YAML that can be read"})
			root, ok = nil, false
		}
	}()
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		l.add(syntaxProblem(source, err))
		return nil, false
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			docs = append(docs, d.Body)
		}
	}
	if len(docs) > 1 {
		l.add(Problem{Place: place(source, docs[1]), Message: "a second document begins here", Hint: "write everything in one document, without ---"})
		return nil, false
	}
	if len(docs) == 0 {
		return nil, true
	}
	return docs[0], true
}

// syntaxProblem keeps position and message of the parser's error and leaves out its excerpt, which may show a secret.
func syntaxProblem(source string, err error) Problem {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	p := Problem{Place: Place{Source: source}, Message: "is not YAML"}
	if !errors.As(err, &at) {
		return p
	}
	if t := at.GetToken(); t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	// Some messages quote the text around the fault, which may be a secret: punctuation alone is kept.
	msg := regexp.MustCompile("(?s)\"[^\"]{3,}\"|'[^']{3,}'|`[^`]{3,}`").ReplaceAllString(at.GetMessage(), "…")
	if !strings.ContainsRune(msg, '\n') {
		p.Message = "is not YAML: " + msg
	}
	return p
}

func place(source string, n ast.Node) Place {
	p := Place{Source: source}
	if n == nil {
		return p
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	return p
}

func (d *decoder) place(n ast.Node) Place { return place(d.source, n) }

func (d *decoder) fail(n ast.Node, path, hint, format string, args ...any) {
	d.add(Problem{Place: d.place(n), Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// unwrap follows tags, anchors and aliases to the node that holds the value; false where it said what is wrong.
func (d *decoder) unwrap(n ast.Node, path string) (ast.Node, bool) {
	for range 32 {
		if d.nodes++; d.nodes > maxNodes {
			if d.nodes == maxNodes+1 {
				d.fail(n, path, "", "the source has more than %d values", maxNodes)
			}
			return nil, false
		}
		switch x := n.(type) {
		case *ast.AnchorNode:
			d.anchors[x.Name.GetToken().Value] = x.Value
			n = x.Value
		case *ast.AliasNode:
			name := x.Value.GetToken().Value
			to, known := d.anchors[name]
			if !known {
				d.fail(n, path, "", "there is no anchor %s before this", name)
				return nil, false
			}
			n = to
		case *ast.TagNode:
			d.fail(n, path, "remove it", "the tag %s has no meaning here", x.Start.Value)
			return nil, false
		case nil:
			return nil, true
		default:
			return n, true
		}
	}
	d.fail(n, path, "", "aliases lead in a circle")
	return nil, false
}

// object decodes a mapping into a struct.
func (d *decoder) object(n ast.Node, v reflect.Value, path string) {
	n, ok := d.unwrap(n, path)
	if !ok {
		return
	}
	if _, null := n.(*ast.NullNode); null || n == nil {
		return // A section without keys changes nothing.
	}
	entries, ok := mapping(n)
	if !ok {
		d.fail(n, path, "indent its keys below it", "must be a section with keys, not %s", describe(n))
		return
	}
	fields := fieldsOf(v.Type())
	seen := make(map[string]Place, len(entries))
	for _, e := range entries {
		key, ok := d.key(e, path, seen)
		if !ok {
			continue
		}
		f, known := lookup(fields, key)
		if !known {
			d.unknown(e.Key, key, path, fields)
			continue
		}
		full := join(path, key)
		d.origins[full] = d.place(e.Key)
		d.value(f, e.Value, v.Field(f.index), full)
	}
}

// key gives the name of a mapping's entry, and refuses what is there twice.
func (d *decoder) key(e *ast.MappingValueNode, path string, seen map[string]Place) (string, bool) {
	if e.Key.IsMergeKey() {
		d.fail(e.Key, path, "write the keys here", "<< is not supported")
		return "", false
	}
	t := e.Key.GetToken()
	if t == nil {
		d.fail(e.Value, path, "", "a key is missing")
		return "", false
	}
	key := t.Value
	if first, twice := seen[key]; twice {
		hint := "remove one of them"
		if first.Line > 0 {
			hint = fmt.Sprintf("it is already on line %d; remove one of them", first.Line)
		}
		d.fail(e.Key, join(path, shown(key)), hint, "is there twice")
		return "", false
	}
	seen[key] = d.place(e.Key)
	return key, true
}

// unknown reports a key that does not exist, with the nearest one that does.
func (d *decoder) unknown(n ast.Node, key, path string, fields []field) {
	d.strange[path] = true
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	hint := ""
	switch near := nearest(key, names); {
	case near != "":
		hint = "did you mean " + near + "?"
	case elsewhere(key) != "":
		hint = "it belongs under " + elsewhere(key)
	default:
		hint = "the keys here are " + strings.Join(names, ", ")
	}
	d.fail(n, join(path, shown(key)), hint, "there is no such key")
}

// elsewhere finds the section that has a key of that name, for a key that was put into the wrong one.
func elsewhere(key string) string {
	for _, k := range Keys() {
		if section, ok := strings.CutSuffix(k.Path, "."+key); ok {
			return section
		}
	}
	return ""
}

// value decodes any node into a field.
func (d *decoder) value(f field, n ast.Node, v reflect.Value, path string) {
	switch f.kind {
	case kindObject:
		d.object(n, v, path)
	case kindList, kindObjects:
		d.list(f, n, v, path)
	case kindTable:
		d.table(f, n, v, path)
	default:
		d.scalar(f, n, v, path)
	}
}

// list decodes a sequence; it replaces what was there.
func (d *decoder) list(f field, n ast.Node, v reflect.Value, path string) {
	n, ok := d.unwrap(n, path)
	if !ok {
		return
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		hint := "write [] for none"
		if _, null := n.(*ast.NullNode); !null && n != nil {
			hint = "begin each entry with a dash"
		}
		d.fail(n, path, hint, "must be a list, not %s", describe(n))
		return
	}
	if len(seq.Values) == 0 {
		v.SetZero()
		return
	}
	out := reflect.MakeSlice(f.typ, len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.origins[at] = d.place(item)
		if f.kind == kindObjects {
			d.defaults(out.Index(i))
			d.object(item, out.Index(i), at)
			continue
		}
		d.scalar(f.one(), item, out.Index(i), at)
	}
	v.Set(out)
}

// table decodes a mapping of free names.
func (d *decoder) table(f field, n ast.Node, v reflect.Value, path string) {
	n, ok := d.unwrap(n, path)
	if !ok {
		return
	}
	entries, ok := mapping(n)
	if !ok {
		d.fail(n, path, "write {} for none", "must be a section with keys, not %s", describe(n))
		return
	}
	out := reflect.MakeMapWithSize(f.typ, len(entries))
	seen := make(map[string]Place, len(entries))
	for _, e := range entries {
		key, ok := d.key(e, path, seen)
		if !ok {
			continue
		}
		if wrong := (field{format: "header"}).checkText(key); wrong != nil {
			d.fail(e.Key, path, wrong.hint, "%s", wrong.message)
			continue
		}
		item := reflect.New(f.typ.Elem()).Elem()
		d.scalar(f.one(), e.Value, item, join(path, key))
		out.SetMapIndex(reflect.ValueOf(key), item)
	}
	v.Set(out)
}

// scalar decodes a single value.
func (d *decoder) scalar(f field, n ast.Node, v reflect.Value, path string) {
	n, ok := d.unwrap(n, path)
	if !ok {
		return
	}
	text, written, ok := scalarText(n)
	if !ok {
		hint := ""
		if _, null := n.(*ast.NullNode); null || n == nil {
			hint = "remove the line"
			if f.textual() {
				hint = `remove the line, or write ""`
			}
		}
		d.fail(n, path, hint, "must be %s, not %s", f.article(), describe(n))
		return
	}
	if written != kindText {
		if !f.takes(written, text) {
			d.fail(n, path, f.writtenHint(false), "must be %s, not %s", f.article(), describe(n))
			return
		}
		d.report(n, path, d.set(f, v, text))
		return
	}
	expanded, was, wrong := d.expand(text)
	switch {
	case wrong != nil:
		d.report(n, path, wrong)
	case was:
		// What a variable holds is read as the field wants it.
		if wrong := d.set(f, v, expanded); wrong != nil {
			d.report(n, path, wrong.unexpanded(f, text))
		}
	case !f.takes(kindText, text):
		d.fail(n, path, f.writtenHint(true), "must be %s, not text", f.article())
	default:
		d.report(n, path, d.set(f, v, text))
	}
}

func (d *decoder) report(n ast.Node, path string, wrong *fault) {
	if wrong != nil {
		d.fail(n, path, wrong.hint, "%s", wrong.message)
	}
}

// textual reports whether the field is written as text.
func (f field) textual() bool {
	return f.kind == kindText || f.kind == kindSecret || f.kind == kindLocator
}

// writtenHint says how to write a value that was written as something else.
func (f field) writtenHint(asText bool) string {
	switch {
	case f.textual():
		return "put it in quotes"
	case f.kind == kindDuration:
		return "give it a unit, such as 30s"
	case asText:
		return "write it without quotes"
	}
	return ""
}

// takes reports whether a value that was written as one kind of scalar may stand for the field.
func (f field) takes(written kind, text string) bool {
	switch f.kind {
	case kindText, kindSecret, kindLocator:
		return written == kindText
	case kindDuration:
		return written == kindText || text == "0"
	case kindBytes:
		return written == kindText || written == kindInt
	case kindFloat:
		return written == kindFloat || written == kindInt
	case kindUSD:
		return written != kindBool
	default:
		return written == f.kind
	}
}

// article gives the type with its article.
func (f field) article() string {
	switch w := f.words(); f.kind {
	case kindText, kindBool:
		return w
	case kindUSD:
		return "an " + w
	default:
		return "a " + w
	}
}

// scalarText gives what was written, and as which kind of scalar.
func scalarText(n ast.Node) (string, kind, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, kindText, true
	case *ast.LiteralNode:
		return strings.TrimRight(x.Value.Value, "\n"), kindText, true
	case *ast.BoolNode:
		return fmt.Sprint(x.Value), kindBool, true
	case *ast.IntegerNode:
		return fmt.Sprint(x.Value), kindInt, true
	case *ast.FloatNode:
		return x.Token.Value, kindFloat, true
	}
	return "", 0, false
}

func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch x := n.(type) {
	case *ast.MappingNode:
		return x.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{x}, true
	}
	return nil, false
}

// describe names what a node is, never what it holds.
func describe(n ast.Node) string {
	switch n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a section with keys"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode:
		return "a whole number"
	case *ast.FloatNode:
		return "a decimal number"
	case *ast.InfinityNode, *ast.NanNode:
		return "infinity or no number"
	}
	return "this"
}

func lookup(fields []field, name string) (field, bool) {
	for _, f := range fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// shown bounds a foreign key in a message.
func shown(key string) string {
	if len(key) > 64 {
		key = key[:64] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, key)
}
