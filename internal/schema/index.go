package schema

import (
	"embed"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// document is one JSON text that holds schemas: the caller's, a remote one or a metaschema.
type document struct {
	url  string // without fragment; ownURL for the caller's
	root value.Value
	// places tells for every subschema's pointer which resource it belongs to.
	places map[string]*resource
	// values holds each subschema, by its pointer: looking them up from the root would be quadratic in a wide schema.
	values map[string]value.Value
	order  []string
	main   bool

	subschemas int
	tooDeep    bool
}

// lookup gives what a pointer leads to.
func (d *document) lookup(pointer string) (value.Value, bool) {
	if v, ok := d.values[pointer]; ok {
		return v, true
	}
	return d.root.Lookup(pointer)
}

// resource is a schema with an identifier of its own, and everything below it that has none.
type resource struct {
	doc        *document
	pointer    string // of its root in the document
	base       string // absolute URI, without fragment
	draft      Draft
	vocabulary vocabulary
	anchors    map[string]string // name to pointer
	dynamic    map[string]*node  // $dynamicAnchor name to its node
	recursive  *node             // the root's node where $recursiveAnchor is true
	dynamicAt  map[string]string
	recurses   bool
}

// ownURL is the base of a caller's schema without $id. It is hierarchical so that relative references resolve as they would beside a file.
const ownURL = "schema:///"

//go:embed metaschema/*.json
var metaschemas embed.FS //nolint:gochecknoglobals // go:embed needs a variable; it is never written.

// metaschemaFile names the embedded file of a published metaschema.
func metaschemaFile(uri string) (string, bool) {
	path, ok := strings.CutPrefix(uri, "http://json-schema.org/")
	if !ok {
		if path, ok = strings.CutPrefix(uri, "https://json-schema.org/"); !ok {
			return "", false
		}
	}
	if d, ok := draftOf(uri); ok && !d.atLeast(Draft201909) {
		return "draft-0" + d.String() + ".json", true
	}
	for _, year := range []string{"2019-09", "2020-12"} {
		if rest, ok := strings.CutPrefix(path, "draft/"+year+"/"); ok {
			if rest == "schema" {
				return year + ".json", true
			}
			if rest, ok = strings.CutPrefix(rest, "meta/"); ok {
				return year + "-" + rest + ".json", true
			}
		}
	}
	return "", false
}

// load finds the document of a URL: the caller's, a remote one, a metaschema. It is read once.
func (c *compiler) load(uri string) (*document, bool) {
	if doc, ok := c.docs[uri]; ok {
		return doc, doc != nil
	}
	root, ok := c.o.Remotes[uri]
	for _, other := range []string{uri + "#", strings.TrimPrefix(uri, ownURL)} {
		if !ok {
			root, ok = c.o.Remotes[other]
		}
	}
	if ok {
		c.remote = append(c.remote, uri)
		if size := len(root.Append(nil)); size > c.o.Limits.Bytes {
			c.problem(nil, "", "schema_bytes", fmt.Sprintf("the remote schema %s has %d bytes; the limit is %d", uri, size, c.o.Limits.Bytes), "Register a smaller schema.")
			ok = false
		}
	} else if file, found := metaschemaFile(uri); found {
		if text, err := metaschemas.ReadFile("metaschema/" + file); err == nil {
			root, err = value.Decode(text, value.Limits{})
			ok = err == nil
		}
	}
	if !ok {
		c.docs[uri] = nil
		return nil, false
	}
	doc := &document{url: uri, root: root, places: map[string]*resource{}, values: map[string]value.Value{}}
	c.index(doc)
	return doc, true
}

// index walks a document's subschemas and registers its resources and anchors.
func (c *compiler) index(doc *document) {
	c.docs[doc.url] = doc
	outer := &resource{doc: doc, base: doc.url, draft: c.o.Draft, vocabulary: fullVocabulary()}
	c.byURI[doc.url] = append(c.byURI[doc.url], outer)
	c.visit(doc, outer, doc.root, "", 0)
}

// visit registers the subschema at a pointer and walks into it.
func (c *compiler) visit(doc *document, r *resource, v value.Value, pointer string, depth int) {
	if depth > c.o.Limits.Depth {
		if !doc.tooDeep {
			doc.tooDeep = true
			c.problem(doc, pointer, "schema_depth", fmt.Sprintf("the schema nests deeper than %d levels (limits.schema_depth)", c.o.Limits.Depth),
				"Move inner schemas to $defs and refer to them.")
		}
		return
	}
	if doc.subschemas++; doc.subschemas > c.o.Limits.Subschemas {
		if doc.subschemas == c.o.Limits.Subschemas+1 {
			c.problem(doc, pointer, "schema_subschemas", fmt.Sprintf("the schema has more than %d subschemas (limits.schema_subschemas)", c.o.Limits.Subschemas),
				"Share equal subschemas through $defs.")
		}
		return
	}
	doc.values[pointer] = v
	if v.Kind() != value.KindObject {
		doc.places[pointer] = r
		doc.order = append(doc.order, pointer)
		return
	}
	r = c.identify(doc, r, v, pointer)
	doc.places[pointer] = r
	doc.order = append(doc.order, pointer)
	if _, ok := v.Get("$ref"); ok && !r.draft.atLeast(Draft201909) {
		// Siblings of $ref are ignored in these drafts, but real schemas keep their definitions there.
		for _, name := range []string{"definitions", "$defs", "properties"} {
			if item, ok := v.Get(name); ok {
				c.visitKeyword(doc, r, mapOfSchemas, item, value.AppendPointer(pointer, name), depth)
			}
		}
		return
	}
	for name, item := range v.Members() {
		info, known := keywordOf(name)
		if known && (info.in(r.draft) || name == "$defs") {
			c.visitKeyword(doc, r, info.shape, item, value.AppendPointer(pointer, name), depth)
		}
	}
}

func (c *compiler) visitKeyword(doc *document, r *resource, s shape, item value.Value, pointer string, depth int) {
	isSchema := item.Kind() == value.KindObject || item.Kind() == value.KindBool
	switch {
	case s == noSchema:
	case (s == oneSchema || s == oneOrList) && isSchema:
		c.visit(doc, r, item, pointer, depth+1)
	case (s == listOfSchemas || s == oneOrList) && item.Kind() == value.KindArray:
		for i, sub := range item.Items() {
			c.visit(doc, r, sub, value.AppendIndex(pointer, i), depth+1)
		}
	case s == mapOfSchemas || s == mapOfSchemaOrSet:
		for name, sub := range item.Members() {
			if s == mapOfSchemas || sub.Kind() != value.KindArray {
				c.visit(doc, r, sub, value.AppendPointer(pointer, name), depth+1)
			}
		}
	}
}

// identify gives the resource that a subschema belongs to: a new one where it has an identifier, and registers its anchors.
func (c *compiler) identify(doc *document, r *resource, v value.Value, pointer string) *resource {
	draft, voc := r.draft, r.vocabulary
	id, hasID := "", false
	if s, ok := v.Get("$schema"); ok && s.Kind() == value.KindString {
		if pointer == "" || v.Len() > 1 {
			draft, voc = c.dialect(doc, s.Text(), pointer, draft, voc)
		}
	}
	name := "$id"
	if draft == Draft4 {
		name = "id"
	}
	if s, ok := v.Get(name); ok && s.Kind() == value.KindString {
		id, hasID = s.Text(), true
	}
	if _, ref := v.Get("$ref"); ref && !draft.atLeast(Draft201909) && pointer != "" {
		hasID = false // A sibling of $ref is ignored.
	}
	anchor := ""
	if hasID {
		uri, fragment, _ := strings.Cut(id, "#")
		if fragment != "" && !strings.HasPrefix(fragment, "/") && !draft.atLeast(Draft201909) {
			anchor = fragment // "#name" is a location-independent identifier up to draft 7.
		} else if fragment != "" && doc.main {
			c.advise(value.AppendPointer(pointer, name), "id_fragment", "the fragment of "+name+" identifies nothing and is ignored")
		}
		hasID = uri != ""
		id = uri
	}
	if hasID {
		if base, ok := resolveURI(r.base, id); ok {
			r = &resource{doc: doc, pointer: pointer, base: base, draft: draft, vocabulary: voc}
			c.byURI[base] = append(c.byURI[base], r)
		} else if doc.main {
			c.advise(value.AppendPointer(pointer, name), "id_syntax", name+" is no URI reference and is ignored")
			hasID = false
		}
	}
	if pointer == "" && !hasID {
		r.draft, r.vocabulary = draft, voc
	}
	c.anchor(r, anchor, pointer)
	if draft.atLeast(Draft201909) {
		if s, ok := v.Get("$anchor"); ok {
			c.anchor(r, s.Text(), pointer)
		}
	}
	if s, ok := v.Get("$dynamicAnchor"); ok && draft == Draft202012 && s.Text() != "" {
		c.anchor(r, s.Text(), pointer)
		if r.dynamicAt == nil {
			r.dynamicAt = map[string]string{}
		}
		r.dynamicAt[s.Text()] = pointer
	}
	if s, ok := v.Get("$recursiveAnchor"); ok && draft == Draft201909 && s.Truth() && pointer == r.pointer {
		r.recurses = true
	}
	return r
}

func (c *compiler) anchor(r *resource, name, pointer string) {
	if name == "" {
		return
	}
	if r.anchors == nil {
		r.anchors = map[string]string{}
	}
	if _, twice := r.anchors[name]; twice && r.doc.main {
		c.advise(pointer, "duplicate_anchor", fmt.Sprintf("the anchor %q stands twice; the first counts", cut(name, 60)))
		return
	}
	r.anchors[name] = pointer
}

// dialect finds the draft and vocabulary that a $schema names.
func (c *compiler) dialect(doc *document, uri, pointer string, draft Draft, voc vocabulary) (Draft, vocabulary) {
	if d, ok := draftOf(uri); ok {
		return d, fullVocabulary()
	}
	at := value.AppendPointer(pointer, "$schema")
	meta, ok := c.o.Remotes[strings.TrimSuffix(uri, "#")]
	if !ok {
		if doc.main {
			c.advise(at, "unknown_schema", fmt.Sprintf("$schema names no known draft; the schema is read as draft %s", draft))
		}
		return draft, voc
	}
	if parent, ok := meta.Get("$schema"); ok {
		if d, ok := draftOf(parent.Text()); ok {
			draft = d
		}
	}
	list, ok := meta.Get("$vocabulary")
	if !ok || !draft.atLeast(Draft201909) {
		return draft, fullVocabulary()
	}
	voc = vocabulary{}
	for name, required := range list.Members() {
		switch name[strings.LastIndexByte(name, '/')+1:] {
		case "applicator":
			voc.applicator = true
			voc.unevaluated = voc.unevaluated || draft == Draft201909
		case "unevaluated":
			voc.unevaluated = true
		case "validation":
			voc.validation = true
		case "format-assertion":
			voc.assertsFormat = true
		case "format":
			voc.assertsFormat = required.Truth()
		case "core", "meta-data", "content", "format-annotation":
		default:
			if required.Truth() {
				c.problem(doc, at, "vocabulary", fmt.Sprintf("the metaschema requires the vocabulary %s, which is not known", cut(name, 200)),
					"Use a metaschema whose unknown vocabularies are optional.")
			}
		}
	}
	return draft, voc
}

// resolveURI resolves a reference without fragment against a base.
func resolveURI(base, ref string) (string, bool) {
	if ref == "" {
		return base, true
	}
	if strings.Contains(ref, "://") || strings.HasPrefix(ref, "urn:") {
		return ref, true
	}
	b, err := url.Parse(base)
	if err != nil {
		return ref, true
	}
	u, err := url.Parse(ref)
	if err != nil {
		return "", false
	}
	return b.ResolveReference(u).String(), true
}

// followed gives the remote schemas that were read, sorted by URL.
func (c *compiler) followed() [][2]string {
	sort.Strings(c.remote)
	var list [][2]string
	for _, uri := range slices.Compact(c.remote) {
		if doc := c.docs[uri]; doc != nil {
			list = append(list, [2]string{uri, string(doc.root.AppendCanonical(nil))})
		}
	}
	return list
}
