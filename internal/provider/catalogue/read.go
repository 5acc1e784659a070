package catalogue

import (
	"fmt"
	"strings"
)

// readServices reads services.yaml. Every start of the program needs it, and a decoder for all of YAML takes longer than everything else that is read then; so
// the file keeps to a few forms, and what is in no such form is an error:
//
//   - name: plain
//     title: "quoted"
//     modes: [a, b]
//
// with comments on lines of their own. A test holds that a YAML decoder reads the same.
func readServices(data []byte) ([]Service, error) {
	var list []Service
	var seen map[string]bool
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimRight(line, " \r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rest, first := strings.CutPrefix(line, "- ")
		if first {
			list, seen = append(list, Service{}), map[string]bool{}
		} else if rest, first = strings.CutPrefix(line, "  "); !first || len(list) == 0 {
			return nil, fmt.Errorf("line %d: %q is neither \"- name: …\" nor a member below it", number, line)
		}
		key, value, ok := strings.Cut(rest, ": ")
		if !ok || seen[key] {
			return nil, fmt.Errorf("line %d: a member is written \"name: value\", once", number)
		}
		seen[key] = true
		if err := list[len(list)-1].set(key, value); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return list, nil
}

// set sets a member from its text.
func (s *Service) set(key, value string) error {
	texts := map[string]*string{
		"name": &s.Name, "title": &s.Title, "dialect": &s.Dialect, "base_url": &s.BaseURL, "default_model": &s.DefaultModel, "key": &s.Key,
		"auth_header": &s.AuthHeader, "auth": &s.Auth, "profile": &s.Profile,
	}
	lists := map[string]*[]string{"also": &s.Also, "variables": &s.Variables, "parts": &s.Parts, "modes": &s.Modes, "deviations": &s.Deviations}
	switches := map[string]*bool{"logprobs": &s.Logprobs, "any_model": &s.AnyModel, "batches": &s.Batches}
	var err error
	switch {
	case texts[key] != nil:
		*texts[key], err = readText(value)
	case lists[key] != nil:
		inner, ok := strings.CutPrefix(value, "[")
		inner, end := strings.CutSuffix(inner, "]")
		if !ok || !end {
			return fmt.Errorf("%s is written [a, b]", key)
		}
		for _, one := range strings.Split(inner, ", ") {
			text, err := readText(one)
			if err != nil {
				return err
			}
			*lists[key] = append(*lists[key], text)
		}
	case switches[key] != nil && (value == "true" || value == "false"):
		*switches[key] = value == "true"
	default:
		return fmt.Errorf("there is no %s: %s", key, value)
	}
	return err
}

// readText reads a plain or a quoted text. Plain ones are those that mean themselves wherever they stand in YAML.
func readText(value string) (string, error) {
	if inner, quoted := strings.CutPrefix(value, `"`); quoted {
		inner, ended := strings.CutSuffix(inner, `"`)
		if !ended || inner == "" || strings.ContainsAny(inner, `"\`) {
			return "", fmt.Errorf("%s is no text in quotation marks", value)
		}
		return inner, nil
	}
	for i, r := range value {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789-_./:", r)) {
			return "", fmt.Errorf("%s is to stand in quotation marks", value)
		}
	}
	if value == "" || strings.HasSuffix(value, ":") || value == "true" || value == "false" || value == "null" || value == "yes" || value == "no" {
		return "", fmt.Errorf("%q is to stand in quotation marks", value)
	}
	return value, nil
}
