package lowering

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/promptd/promptd/internal/value"
)

// The page that explains the rules is made of the table of profiles and of the golden files, so that it cannot show what is not done.

const page = "../../../docs/reference/lowering.md"

func TestReferencePageIsCurrent(t *testing.T) {
	t.Parallel()
	got := lowersPage(t)
	// The flag is declared by the golden files' test, which is in the same program.
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale, make generate writes it (-page +rules):\n%s", page, diff)
	}
}

// explained is a rule with the golden file that shows it.
type explained struct {
	id, title string
	// why says what the rule is for; sees what the model is shown; raised what becomes of its answer.
	why, sees, raised string
	archive           string // folder/name
}

func lowersPage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(pageBegin)
	for _, r := range explainedRules() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", r.id, anchorOf(r), r.title)
	}
	b.WriteString(pageReading)
	for _, r := range explainedRules() {
		writeRule(t, &b, r)
	}
	b.WriteString(pageNarrowed)
	writeExample(t, &b, "openai/open_object")
	b.WriteString(pageProfiles)
	writeProfiles(&b)
	b.WriteString(pageLimits)
	writeLimits(&b)
	return b.String()
}

// anchorOf gives the link to a rule's heading.
func anchorOf(r explained) string {
	title := strings.ToLower(r.id + " " + r.title)
	return strings.Map(func(c rune) rune {
		switch {
		case c == ' ':
			return '-'
		case c == '-' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			return c
		default:
			return -1
		}
	}, title)
}

func writeRule(t *testing.T, b *strings.Builder, r explained) {
	t.Helper()
	fmt.Fprintf(b, "\n### %s %s\n\n%s\n\n- The model sees: %s\n- The answer: %s\n", r.id, r.title, r.why, r.sees, r.raised)
	if r.archive != "" {
		writeExample(t, b, r.archive)
	}
}

// writeExample writes a golden file: the schema, what is sent, and one value in both shapes where they differ.
func writeExample(t *testing.T, b *strings.Builder, archive string) {
	t.Helper()
	parsed, err := txtar.ParseFile(filepath.Join("testdata", archive+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, f := range parsed.Files {
		parts[f.Name] = string(f.Data)
	}
	profile := strings.ReplaceAll(filepath.Dir(archive), "_", ":")
	fmt.Fprintf(b, "\nThe schema:\n\n```json\n%s```\n\nIs sent with the profile `%s`, in mode %s, as:\n\n```json\n%s```\n", pretty(t, parts["schema.json"]), profile,
		strings.TrimSpace(parts["mode"]), pretty(t, parts["lowered.json"]))
	if value, answer, ok := telling(parts); ok {
		fmt.Fprintf(b, "\nThe answer `%s` becomes `%s`.\n", answer, value)
	}
	list(b, "promptd alone judges", parts["residue"])
	list(b, "Read narrowly", parts["narrowed"])
}

// telling gives a pair of shapes that differ, rather one that is not empty.
func telling(parts map[string]string) (raised, answer string, ok bool) {
	values, answers := strings.Split(parts["instances.jsonl"], "\n"), strings.Split(parts["lowered.jsonl"], "\n")
	for i := range min(len(values), len(answers)) {
		if values[i] != answers[i] && (!ok || len(values[i]) > len(raised)) {
			raised, answer, ok = values[i], answers[i], true
		}
	}
	return raised, answer, ok
}

func list(b *strings.Builder, title, lines string) {
	const most = 4
	all := strings.Split(strings.TrimSpace(lines), "\n")
	if all[0] == "" {
		return
	}
	for i, line := range all {
		place, keyword, _ := strings.Cut(line, "#")
		if place == "" {
			place = "the root"
		} else {
			place = "`" + place + "`"
		}
		all[i] = place + ": `" + keyword + "`"
	}
	more := ""
	if n := len(all) - most; n > 0 {
		all, more = all[:most], fmt.Sprintf(", and %d more", n)
	}
	fmt.Fprintf(b, "\n%s: %s%s.\n", title, strings.Join(all, ", "), more)
}

// pretty writes JSON in lines: what is short stays on one.
func pretty(t *testing.T, text string) string {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	spread(&b, v, 0, 0)
	b.WriteByte('\n')
	return b.String()
}

func spread(b *bytes.Buffer, v value.Value, indent, used int) {
	const width = 100
	line := spaced(v)
	if v.Len() == 0 || indent+used+len(line) <= width || v.Kind() != value.KindObject && v.Kind() != value.KindArray {
		b.WriteString(line)
		return
	}
	begin, end := "{", "}"
	if v.Kind() == value.KindArray {
		begin, end = "[", "]"
	}
	b.WriteString(begin)
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + strings.Repeat(" ", indent+2))
		used := 1
		if v.Kind() == value.KindObject {
			name := string(value.AppendQuoted(nil, v.NameAt(i))) + ": "
			b.WriteString(name)
			used += len(name)
		}
		spread(b, v.At(i), indent+2, used)
	}
	b.WriteString("\n" + strings.Repeat(" ", indent) + end)
}

// spaced writes a value on one line, as people write JSON.
func spaced(v value.Value) string {
	var parts []string
	switch v.Kind() {
	case value.KindObject:
		for name, item := range v.Members() {
			parts = append(parts, string(value.AppendQuoted(nil, name))+": "+spaced(item))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case value.KindArray:
		for _, item := range v.Items() {
			parts = append(parts, spaced(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return v.String()
	}
}

// writeProfiles writes the table of profiles, by their strongest form.
func writeProfiles(b *strings.Builder) {
	b.WriteString("\n| profile | modes | keywords beyond types, properties, items and enums | formats | shape |\n| --- | --- | --- | --- | --- |\n")
	for i, r := range table() {
		p := Profile{row: uint8(i + 1)} //nolint:gosec // The table is short.
		var modes []string
		for _, m := range p.Modes() {
			modes = append(modes, string(m))
		}
		s := p.limits(p.Modes()[0])
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", r.name, strings.Join(modes, ", "), words(slices.DeleteFunc(s.keywords, func(k string) bool { return k == "format" })), words(s.formats), strings.Join(shapeWords(s), "; "))
	}
}

func words(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	return "`" + strings.Join(names, "` `") + "`"
}

// shapeWords says what a subset's switches mean.
func shapeWords(s subset) []string {
	var said []string
	for _, one := range []struct {
		is   bool
		text string
	}{
		{s.object && !s.needs, "the root is an object"},
		{s.needs, "the root is an object that requires a member"},
		{s.optional == 0, "every property is required"},
		{s.optional > 0, "few optional properties"},
		{s.dictionaries, "dictionaries as they are"},
		{!s.dictionaries, "dictionaries as pairs"},
		{s.patterned, "patternProperties as they are"},
		{s.inline, "no references"},
		{s.recursion, "recursion"},
		{!s.recursion, "recursion unrolled"},
		{s.anything == anyTree, "any value as a tree"},
		{s.anything == anyText, "any value as JSON text"},
		{s.tuples == tupleObject, "tuples as objects"},
		{s.lists == listStrings, "enums of strings"},
		{s.plainNames, "plain names"},
		{s.ordering, "the order of members is said"},
		{s.openAPI, "null is a flag"},
		{s.quiet, "the model sees the schema in the prompt"},
	} {
		if one.is {
			said = append(said, one.text)
		}
	}
	return said
}

// writeLimits writes a line for each set of limits.
func writeLimits(b *strings.Builder) {
	b.WriteString("\n| profiles | limits |\n| --- | --- |\n")
	var order []string
	names := map[string][]string{}
	for i, r := range table() {
		p := Profile{row: uint8(i + 1)} //nolint:gosec // The table is short.
		text := limitWords(p.limits(p.Modes()[0]))
		if text == "" {
			continue
		}
		if names[text] == nil {
			order = append(order, text)
		}
		names[text] = append(names[text], "`"+r.name+"`")
	}
	for _, text := range order {
		fmt.Fprintf(b, "| %s | %s |\n", strings.Join(names[text], " "), text)
	}
}

func limitWords(s subset) string {
	var said []string
	for _, one := range []struct {
		limit int
		name  string
	}{
		{s.properties, SizeProperties},
		{s.nesting, SizeNesting},
		{s.enumValues, SizeEnumValues},
		{s.characters, SizeCharacters},
		{s.bigEnumCharacters, SizeBigEnum},
		{s.optional, SizeOptional},
		{s.unions, SizeUnions},
		{s.itemsTotal, SizeItems},
		{s.text, SizeBytes},
		{s.bytes, SizeExpanded},
	} {
		if one.limit > 0 {
			said = append(said, "`"+one.name+"` "+strconv.Itoa(one.limit))
		}
	}
	return strings.Join(said, ", ")
}
