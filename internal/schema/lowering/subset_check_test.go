package lowering_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// Checkers of what providers accept, written from the published rules (reference schema-subsets; the sections are named at each checker) and from
// nothing in this package: they share no table with the lowering. subset_walk_test.go holds the walk that all share, each family of services has a
// file subset_<family>_check_test.go, and subset_rules_test.go proves the checkers rule by rule.

// complaints gathers what a provider would refuse.
type complaints []string

// maxComplaints is more than anybody reads.
const maxComplaints = 20

func (c *complaints) add(at, format string, args ...any) {
	if len(*c) < maxComplaints {
		*c = append(*c, fmt.Sprintf("%s: ", at)+fmt.Sprintf(format, args...))
	}
}

// checkSubset checks what is sent in a mode by the rules of a profile. A mode that enforces nothing takes any schema.
func checkSubset(profile string, mode lowering.Mode, s value.Value) []string {
	if mode == lowering.JSON || mode == lowering.Prompt {
		return nil
	}
	d, ok := dialectOf(profile)
	if !ok {
		return []string{": the profile " + profile + " has no published rules"}
	}
	if mode == lowering.Tool && !d.tools {
		return nil // One forced tool that is not strict (section 5): the schema only guides.
	}
	if (mode == lowering.Grammar) != d.grammar {
		return []string{fmt.Sprintf(": the profile %s has no mode %s", profile, mode)}
	}
	return d.check(s)
}

// dialectOf gives the rules of a profile.
func dialectOf(profile string) (dialect, bool) {
	for _, family := range []func(string) (dialect, bool){openaiDialect, serviceDialect, anthropicDialect, geminiDialect, engineDialect} {
		if d, ok := family(profile); ok {
			return d, true
		}
	}
	return dialect{}, false
}

// checkedProfiles are all profiles with published rules.
func checkedProfiles() []string {
	return []string{
		"openai", "openai:azure", "openai:openrouter",
		"openai:groq", "openai:mistral", "openai:xai", "openai:fireworks", "openai:together", "openai:cerebras", "openai:deepseek", "openai:perplexity",
		"openai:cohere", "cohere",
		"anthropic", "bedrock:claude", "bedrock",
		"gemini", "gemini:openapi",
		"ollama", "llamacpp", "llamacpp:llguidance", "openai:vllm",
	}
}

func itemsOf(array value.Value) (items []value.Value) {
	for _, v := range array.Items() {
		items = append(items, v)
	}
	return items
}

// textsOf gives the texts of an array of strings.
func textsOf(array value.Value) (texts []string) {
	for _, v := range array.Items() {
		texts = append(texts, v.Text())
	}
	return texts
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

func typeNames(s value.Value) (names []string) {
	kind, _ := s.Get("type")
	if kind.Kind() == value.KindString {
		return []string{kind.Text()}
	}
	return textsOf(kind)
}

// holds reports whether a schema has one of the keywords.
func holds(s value.Value, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := s.Get(name); return ok })
}

// less gives a list without some of its names.
func less(list []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(names, name) })
}

// words splits a list of keywords or formats.
func words(text string) []string { return strings.Fields(text) }
