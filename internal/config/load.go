package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/promptd/promptd/internal/provider/catalogue"
)

// DefaultFile is read when no file is named and it is there.
const DefaultFile = "promptd.yaml"

// Options say where the configuration comes from.
type Options struct {
	// File is the configuration file. Empty means DefaultFile where it is there; a file that is named must be there.
	File string
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Flags are values from the command line; they win over everything.
	Flags []Flag
	// Adapters are what this program has; a configuration that asks for more is refused.
	Adapters Adapters
	// StoreOnly is for commands that need the store alone: faults of providers, such as a secret that only the server's environment has, do not count.
	StoreOnly bool
	// ReadFile reads a file; nil means os.ReadFile.
	ReadFile func(string) ([]byte, error)
	// Catalogue is what is known of public services; nil means the embedded one.
	Catalogue *catalogue.Catalogue
}

// Flag is a value from the command line.
type Flag struct {
	// Name is the flag as it was written, such as --listen.
	Name string
	// Path is the key that it sets, such as listen.
	Path string
	// Value is its text; a list is comma-separated.
	Value string
}

// Adapters name what this program has, so that what it lacks is refused with a list of what there is, and never passed over.
type Adapters struct {
	// Dialects, AuthTypes and Strategies are the possible values of providers[].dialect, providers[].auth.type and routing.strategy.
	Dialects, AuthTypes, Strategies []string
	// Profiles are the possible values of providers[].profile: a dialect, or a dialect, a colon and a name.
	Profiles []string
	// Databases, Caches and Brokers are the possible schemes of their URLs.
	Databases, Caches, Brokers []string
	// Inert are keys that have no effect yet, such as routing.hedge_after or providers[].region: a value other than the default is a warning.
	Inert []string
}

// Loaded is a configuration with what there is to say about it.
type Loaded struct {
	Config Config
	// Warnings are what should be put right and does not stop the program.
	Warnings []Problem
	// File is the file that was read; empty where there was none.
	File string

	origins map[string]Place
}

// Origin says where a key was given, such as cache.ttl or providers[0].name; false where it has its default.
func (l *Loaded) Origin(path string) (Place, bool) {
	p, ok := l.origins[path]
	return p, ok
}

// loader carries one load.
type loader struct {
	options  Options
	vars     map[string]string
	origins  map[string]Place
	strange  map[string]bool // sections with a key that does not exist
	problems []Problem
	warnings []Problem
}

// Load reads the configuration: flag over environment over file over default. It follows references and finds providers by
// their usual variables where none are configured. An *Error lists every fault at once. Calling it again re-reads everything,
// secrets included, which is what a reload does.
func Load(o Options) (*Loaded, error) {
	l := &loader{options: o, vars: environ(o.Environ), origins: map[string]Place{}, strange: map[string]bool{}}
	cat := o.Catalogue
	if cat == nil {
		var err error
		if cat, err = catalogue.Load(); err != nil {
			return nil, err
		}
	}
	var c Config
	root := reflect.ValueOf(&c).Elem()
	l.defaults(root)
	file := l.overlayFile(root)
	l.overlayEnvironment(root)
	l.overlayFlags(root)
	l.completeProviders(&c, cat)
	l.validate(&c)
	if o.StoreOnly {
		l.problems = slices.DeleteFunc(l.problems, func(p Problem) bool { return strings.HasPrefix(p.Path, "providers") })
	}
	if len(l.problems) > 0 {
		sortProblems(l.problems)
		return nil, &Error{Problems: l.problems}
	}
	return &Loaded{Config: c, Warnings: l.warnings, File: file, origins: l.origins}, nil
}

// environ makes a map of an environment; as in the process's own, the first of equal names counts.
func environ(list []string) map[string]string {
	vars := make(map[string]string, len(list))
	for _, kv := range list {
		name, value, found := strings.Cut(kv, "=")
		if _, twice := vars[name]; found && !twice {
			vars[name] = value
		}
	}
	return vars
}

func (l *loader) env(name string) (string, bool) {
	v, ok := l.vars[name]
	return v, ok
}

func (l *loader) read(path string) ([]byte, error) {
	if l.options.ReadFile != nil {
		return l.options.ReadFile(path)
	}
	return os.ReadFile(path)
}

func (l *loader) add(p Problem) { l.problems = append(l.problems, p) }

func (l *loader) warn(p Problem) { l.warnings = append(l.warnings, p) }

// faulty reports whether something below a key was already found wrong, so that what follows from it is not reported too.
func (l *loader) faulty(path string) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool {
		rest, below := strings.CutPrefix(p.Path, path)
		return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// at says where a key was given, or the nearest section around it.
func (l *loader) at(path string) Place {
	for p := path; p != ""; {
		if place, ok := l.origins[p]; ok {
			return place
		}
		cut := strings.LastIndexAny(p, ".[")
		if cut < 0 {
			break
		}
		p = p[:cut]
	}
	return Place{}
}

func (l *loader) failAt(path, hint, format string, args ...any) {
	l.add(Problem{Place: l.at(path), Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// defaults sets every field below v to the default of its declaration.
func (l *loader) defaults(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		fv := v.Field(f.index)
		switch f.kind {
		case kindObject:
			l.defaults(fv)
		case kindObjects, kindTable:
			fv.SetZero()
		case kindList:
			if wrong := l.setList(f, fv, f.def); wrong != nil {
				panic("config: default of " + f.name + ": " + wrong.message)
			}
		case kindText:
			fv.SetString(f.def)
		case kindSecret, kindLocator:
			if wrong := l.set(f, fv, f.def); wrong != nil {
				panic("config: default of " + f.name + ": " + wrong.message)
			}
		default:
			if wrong := f.setOrdered(fv, f.def); wrong != nil {
				panic("config: default of " + f.name + ": " + wrong.message)
			}
		}
	}
}

// setList reads a comma-separated list; an empty text is an empty list.
func (l *loader) setList(f field, v reflect.Value, text string) *fault {
	if strings.TrimSpace(text) == "" {
		v.SetZero()
		return nil
	}
	parts := strings.Split(text, ",")
	out := reflect.MakeSlice(f.typ, len(parts), len(parts))
	for i, part := range parts {
		if wrong := l.set(f.one(), out.Index(i), strings.TrimSpace(part)); wrong != nil {
			return wrong
		}
	}
	v.Set(out)
	return nil
}

// overlayFile reads the file over the defaults and gives its name.
func (l *loader) overlayFile(root reflect.Value) string {
	name := l.options.File
	if name == "" {
		name = DefaultFile
	}
	data, err := l.read(name)
	if err != nil {
		if l.options.File == "" && errors.Is(err, fs.ErrNotExist) {
			return ""
		}
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		l.add(Problem{Place: Place{Source: name}, Message: fmt.Sprintf("can't be read: %v", err)})
		return ""
	}
	if node, ok := l.parseYAML(name, data); ok && node != nil {
		d := decoder{loader: l, source: name, anchors: map[string]ast.Node{}}
		d.object(node, root, "")
	}
	return name
}

// overlayEnvironment sets every key whose variable is there, and warns of PROMPTD_ variables that mean nothing.
func (l *loader) overlayEnvironment(root reflect.Value) {
	keys := Keys()
	known := append([]string{}, otherVariables()...)
	for _, k := range keys {
		if k.Variable == "" {
			continue
		}
		known = append(known, k.Variable)
		if text, ok := l.env(k.Variable); ok {
			l.overlay(root, k, Place{Source: k.Variable}, text)
		}
	}
	var unknown []string
	for name := range l.vars {
		if strings.HasPrefix(name, "PROMPTD_") && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		l.warn(Problem{Place: Place{Source: name}, Message: "is no variable of promptd and has no effect", Hint: didYouMean(name, known)})
	}
}

// otherVariables are PROMPTD_ variables that are no keys: those of the client commands, and where tests find shared data.
func otherVariables() []string {
	return []string{"PROMPTD_SERVER", "PROMPTD_API_KEY", "PROMPTD_SHARED"}
}

func (l *loader) overlayFlags(root reflect.Value) {
	keys := Keys()
	for _, flag := range l.options.Flags {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Path == flag.Path && k.Variable != "" })
		if i < 0 {
			l.add(Problem{Place: Place{Source: flag.Name}, Message: "sets " + flag.Path + ", which is no key of the configuration"})
			continue
		}
		l.overlay(root, keys[i], Place{Source: flag.Name}, flag.Value)
	}
}

// overlay sets one key from a text that has no lines: a variable or a flag.
func (l *loader) overlay(root reflect.Value, k Key, from Place, text string) {
	v := root.FieldByIndex(k.index)
	if k.field.kind == kindObjects {
		l.overlayYAML(k, v, from, text)
		return
	}
	l.origins[k.Path] = from
	expanded, was, wrong := l.expand(text)
	if wrong == nil && k.field.kind == kindList {
		wrong = l.setList(k.field, v, expanded)
	} else if wrong == nil {
		wrong = l.set(k.field, v, expanded)
	}
	if wrong != nil && was && expanded != "" {
		wrong = wrong.unexpanded(k.field, text)
	}
	if wrong != nil {
		l.add(Problem{Place: from, Path: k.Path, Message: wrong.message, Hint: wrong.hint})
	}
}

// overlayYAML sets a list of sections from YAML.
func (l *loader) overlayYAML(k Key, v reflect.Value, from Place, text string) {
	for path := range l.origins {
		if strings.HasPrefix(path, k.Path+"[") {
			delete(l.origins, path)
		}
	}
	l.origins[k.Path] = from
	node, ok := l.parseYAML(from.Source, []byte(text))
	if !ok {
		return
	}
	if node == nil {
		l.add(Problem{Place: from, Path: k.Path, Message: "must be a list, not nothing", Hint: "write [] for none"})
		return
	}
	d := decoder{loader: l, source: from.Source, anchors: map[string]ast.Node{}}
	d.list(k.field, node, v, k.Path)
}
