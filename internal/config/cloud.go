package config

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/provider/catalogue"
)

// usualPart gives what stands for a name in braces of a service's address: what the configuration says under auth, else the usual variable. p is nil for a
// service that is not configured.
func (l *loader) usualPart(s catalogue.Service, p *Provider) func(name string) string {
	said := map[string]string{}
	if p != nil {
		said = map[string]string{"region": p.Auth.Region, "project": p.Auth.Project, "location": p.Auth.Location}
		if said["project"] == "" {
			said["project"] = projectOf(p.APIKey)
		}
	}
	return func(name string) string {
		value := said[name]
		for _, part := range s.Parts {
			if of, variable, _ := strings.Cut(part, "="); of == name && value == "" {
				value, _ = l.env(variable)
			}
		}
		if strings.ContainsFunc(value, notInHost) {
			return "" // It could lead elsewhere.
		}
		return value
	}
}

// notInHost says of a character that it stands in no name of a region, a location or a project.
func notInHost(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
}

// hintOfParts says how the missing parts of an address are given, by a key where there is a configuration to write it in; empty where they can't be.
func hintOfParts(s catalogue.Service, missing []string, configured bool) string {
	var variables []string
	for _, name := range missing {
		i := slices.IndexFunc(s.Parts, func(part string) bool { return strings.HasPrefix(part, name+"=") })
		if i < 0 {
			return ""
		}
		variables = append(variables, strings.TrimPrefix(s.Parts[i], name+"="))
	}
	if !configured {
		return "set " + and(variables)
	}
	return "name " + and(missing) + " under auth, or set " + and(variables)
}

// warnUnused says which parts of auth mean nothing for its type.
func (l *loader) warnUnused(p *Provider, path string) {
	for _, u := range [...]struct{ key, of string }{{"api_version", "azure"}, {"project", "google"}, {"location", "google"}} {
		if at := path + ".auth." + u.key; p.Auth.Type != u.of {
			if _, given := l.origins[at]; given {
				l.warn(Problem{Place: l.at(at), Path: at, Message: "has no effect with type " + p.Auth.Type + "; it belongs to type " + u.of})
			}
		}
	}
}

// usualCredentials is the variable with the path of a file of credentials of Google's.
const usualCredentials = "GOOGLE_APPLICATION_CREDENTIALS"

// completeGoogle takes the credentials of the usual file where none are given. Without any, the machine's own are used.
func (l *loader) completeGoogle(p *Provider, path string) {
	if len(p.APIKeys) > 0 {
		l.failAt(path+".api_keys", "give one api_key, or add a provider for each account", "type google takes one account")
		return
	}
	file, _ := l.env(usualCredentials)
	if _, given := l.origins[path+".api_key"]; !given && !p.APIKey.IsSet() && file != "" {
		secret, err := l.resolve("file:" + file)
		if err != nil {
			l.failAt(path, "set it to the path of the account's key file, or unset it where the machine has an account of its own", "%s: %v", usualCredentials, err)
			return
		}
		p.APIKey = secret
	}
	if p.APIKey.IsSet() && typeOf(p.APIKey) == "" {
		l.failAt(path+".api_key", "give the JSON file of a service account's key, such as file:/run/secrets/key.json",
			"type google takes a file of credentials, and this is none")
	}
}

// typeOf and projectOf read what a file of credentials says of itself; neither is secret.
func typeOf(s Secret) string    { return credentialsOf(s).Type }
func projectOf(s Secret) string { return credentialsOf(s).Project }

func credentialsOf(s Secret) (file struct {
	Type    string `json:"type"`
	Project string `json:"project_id"`
},
) {
	if json.Unmarshal([]byte(s.Reveal()), &file) != nil {
		file.Type, file.Project = "", ""
	}
	return file
}
