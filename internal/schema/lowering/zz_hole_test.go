package lowering_test

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
)

func TestZZHoles(t *testing.T) {
	count := map[string]int{}
	ex := map[string][]string{}
	tried, through := 0, 0
	for _, s := range realSchemas(t, 3) {
		c, err := schema.Compile(s.schema, schema.Options{})
		if err != nil {
			continue
		}
		for _, name := range []string{"openai", "anthropic", "gemini", "llamacpp", "llamacpp:llguidance", "openai:vllm", "bedrock:claude"} {
			p, _ := lowering.Named(name)
			l := lowering.Lower(c, p)
			if l.Schema.IsNull() || !p.Enforces(l.Mode) {
				continue
			}
			low, err := schema.Compile(l.Schema, schema.Options{Limits: schema.Limits{Bytes: 10 << 20, Depth: 500, Subschemas: 100000}})
			if err != nil {
				count[name+" UNCOMPILABLE "+err.Error()[:min(60, len(err.Error()))]]++
				continue
			}
			res := map[string]bool{}
			kw := map[string]bool{}
			for _, r := range l.Residue {
				res[r.Pointer+"/"+r.Keyword] = true
				kw[r.Keyword] = true
			}
			for _, x := range s.instances {
				_, rep := c.Accept(context.Background(), x)
				if len(rep.Errors) == 0 {
					continue
				}
				y, err := l.Lower(x)
				if err != nil {
					continue
				}
				tried++
				if _, r2 := low.Accept(context.Background(), y); len(r2.Errors) > 0 {
					continue
				}
				back, err := l.Raise(y)
				if err != nil {
					continue
				}
				_, rep = c.Accept(context.Background(), back)
				if len(rep.Errors) == 0 {
					continue
				}
				through++
				ok := false
				var first string
				for _, e := range rep.Errors {
					sp := e.SchemaPointer
					i := strings.LastIndexByte(sp, '/')
					at := ""
					if i >= 0 {
						at = sp[:i]
					}
					if res[at+"/"+e.Keyword] || res[sp] || kw[e.Keyword] || len(l.Texts) > 0 {
						ok = true
					}
					// residue of an enclosing conditional
					for k := range res {
						if strings.HasPrefix(sp, k+"/") || sp == k {
							ok = true
						}
					}
					if first == "" {
						first = e.Keyword + " at " + sp
					}
				}
				if !ok {
					k := name + " " + rep.Errors[0].Keyword
					count[k]++
					if len(ex[k]) < 3 {
						ex[k] = append(ex[k], fmt.Sprintf("%s %s :: %.100s", s.id, first, back.String()))
					}
				}
			}
		}
	}
	var keys []string
	for k := range count {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	t.Logf("tried %d through %d", tried, through)
	for _, k := range keys {
		t.Logf("%s: %d %v", k, count[k], ex[k])
	}
}
