// Command modeltable writes the table of models of internal/provider/catalogue: their limits, capability and list prices.
//
// It reads LiteLLM's price list and the list of services, and writes what promptd has a use for in a form of its own, which table.go of that
// package reads and describes:
//
//	PROMPTD_SHARED=../shared go run -C tools ./modeltable
//
// What the price list does not say, and what it says is 0, is unknown and left out. Prices are exact to a nano-dollar per million tokens.
package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	shared := flag.String("shared", os.Getenv("PROMPTD_SHARED"), "folder with data/model_prices.json and data/openai_compatible_catalogue.csv")
	out := flag.String("out", "../internal/provider/catalogue/models.tsv", "file to write")
	flag.Parse()
	if err := run(*shared, *out); err != nil {
		fmt.Fprintln(os.Stderr, "modeltable:", err)
		os.Exit(1)
	}
}

func run(shared, out string) error {
	if shared == "" {
		return fmt.Errorf("set PROMPTD_SHARED to the folder that holds data/model_prices.json")
	}
	// A relative folder is one beside the project, not one beside this module.
	if !filepath.IsAbs(shared) {
		shared = filepath.Join("..", shared)
	}
	raw, err := os.ReadFile(filepath.Join(shared, "data", "model_prices.json"))
	if err != nil {
		return err
	}
	services, err := os.ReadFile(filepath.Join(shared, "data", "openai_compatible_catalogue.csv"))
	if err != nil {
		return err
	}
	table, notes, err := build(raw, services)
	if err != nil {
		return err
	}
	fmt.Println(notes)
	return os.WriteFile(out, table, 0o644) //nolint:gosec // It is a source file.
}

// counts says what became of the price list.
type counts struct{ services, models, priced, rounded int }

// String says it in a line.
func (c counts) String() string {
	return fmt.Sprintf("%d models of %d services, %d with a price; %d prices were rounded to a nano-dollar", c.models, c.services, c.priced, c.rounded)
}

const header = `# The models of the price list by service; table.go says how to read it. Made by tools/modeltable, never by hand: what is to be otherwise stands
# in models.yaml.
`

func build(raw, services []byte) ([]byte, counts, error) {
	var c counts
	ids, err := serviceOf(services)
	if err != nil {
		return nil, c, err
	}
	var list map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, c, fmt.Errorf("read the price list: %w", err)
	}
	rows := map[string]map[string]row{}
	for _, key := range slices.Sorted(maps.Keys(list)) {
		var e entry
		if err := json.Unmarshal(list[key], &e.members); err != nil {
			return nil, c, fmt.Errorf("read %s: %w", key, err)
		}
		if mode := e.text("mode"); mode != "chat" && mode != "responses" || key == "sample_spec" {
			continue
		}
		provider := e.text("litellm_provider")
		service := ids[plain(provider)]
		if strings.HasPrefix(provider, "vertex_ai-") {
			service = ids["vertex_ai"] // Named by the family of its models.
		}
		name, qualified := modelName(provider, key)
		if service == "" || name == "" {
			continue
		}
		r, err := e.row(service)
		if err != nil {
			return nil, c, fmt.Errorf("read %s: %w", key, err)
		}
		r.qualified = qualified
		if rows[service] == nil {
			rows[service] = map[string]row{}
		}
		// Of two spellings of one model, the one with the service before it is meant for the service.
		if before, twice := rows[service][name]; !twice || qualified && !before.qualified {
			rows[service][name] = r
		}
	}
	var b bytes.Buffer
	b.WriteString(header)
	for _, service := range slices.Sorted(maps.Keys(rows)) {
		c.services++
		fmt.Fprintf(&b, "\n[%s]\n", service)
		for _, name := range slices.Sorted(maps.Keys(rows[service])) {
			r := rows[service][name]
			c.models++
			c.rounded += r.rounded
			if r.price != "" {
				c.priced++
			}
			b.WriteString(strings.TrimRight(strings.Join([]string{name, r.context, r.output, r.flags, r.price}, "\t"), "\t") + "\n")
		}
	}
	return b.Bytes(), c, nil
}

// plain makes the spellings of a provider's name one.
func plain(name string) string { return strings.ReplaceAll(name, "-", "_") }

// serviceOf gives our name of each provider of the price list.
func serviceOf(services []byte) (map[string]string, error) {
	rows, err := csv.NewReader(bytes.NewReader(services)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the list of services: %w", err)
	}
	column := func(name string) (int, error) {
		if n := slices.Index(rows[0], name); n >= 0 {
			return n, nil
		}
		return 0, fmt.Errorf("the list of services has no column %s", name)
	}
	id, err := column("id")
	if err != nil {
		return nil, err
	}
	key, err := column("price_key")
	if err != nil {
		return nil, err
	}
	ids := map[string]string{"bedrock": "bedrock"}
	for _, r := range rows[1:] {
		ids[plain(r[key])] = r[id]
	}
	return ids, nil
}

// modelName gives a model's name as the service calls it; qualified says that the service's name stood before it.
func modelName(provider, key string) (name string, qualified bool) {
	name = key
	if strings.HasPrefix(provider, "vertex_ai-") {
		provider = "vertex_ai"
	}
	for _, prefix := range []string{provider, strings.ReplaceAll(provider, "_", "-")} {
		if rest, ok := strings.CutPrefix(key, prefix+"/"); ok {
			name, qualified = rest, true
		}
	}
	switch {
	case strings.HasPrefix(provider, "bedrock") && provider != "bedrock_mantle":
		// Prices of single regions can't be told from the model's name.
		name = strings.TrimPrefix(name, "bedrock/")
		if strings.Contains(name, "/") {
			return "", false
		}
		qualified = provider == "bedrock_converse" // The older interface has prices of its own.
	case provider == "together_ai" && !qualified:
		return "", false // These are classes of size, not models.
	case strings.ContainsAny(name, "\t\n*"):
		return "", false
	}
	return name, qualified
}
