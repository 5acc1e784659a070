package archtest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/promptd/promptd"

// folder is a package of the module as go list describes it.
type folder struct {
	ImportPath                            string
	Name                                  string
	Dir                                   string
	Imports                               []string
	TestImports, XTestImports             []string
	GoFiles, IgnoredGoFiles               []string
	TestGoFiles, XTestGoFiles, EmbedFiles []string
}

// path is the package's path inside the module; "." is the module's own folder.
func (f *folder) path() string {
	if f.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(f.ImportPath, module+"/")
}

// within gives an import's path inside the module.
func within(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, module+"/")
}

// tree lists every package once for all tests.
var tree = sync.OnceValues(func() ([]*folder, error) {
	cmd := exec.Command("go", "list", "-json", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []*folder
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		f := &folder{}
		err := d.Decode(f)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
})

func folders(t *testing.T) []*folder {
	t.Helper()
	all, err := tree()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if len(all) < 30 {
		t.Fatalf("go list names only %d packages", len(all))
	}
	return all
}

// file is a parsed file.
type file struct {
	*ast.File
	set  *token.FileSet
	name string
	test bool
}

// at names a place for people.
func (f *file) at(n ast.Node) string {
	p := f.set.Position(n.Pos())
	return f.name + ":" + strconv.Itoa(p.Line)
}

// files parses the files of a package, those of its tests included.
func (f *folder) files(t *testing.T) []*file {
	t.Helper()
	var all []*file
	add := func(names []string, test bool) {
		for _, name := range names {
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, filepath.Join(f.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &file{parsed, set, f.path() + "/" + name, test})
		}
	}
	add(f.GoFiles, false)
	add(f.TestGoFiles, true)
	add(f.XTestGoFiles, true)
	return all
}

// excused reports whether the line of a place carries an exception from a linter with its reason.
func (f *file) excused(n ast.Node, linter string) bool {
	line := f.set.Position(n.Pos()).Line
	for _, group := range f.Comments {
		for _, c := range group.List {
			reason, ok := strings.CutPrefix(c.Text, "//nolint:"+linter+" // ")
			if ok && reason != "" && f.set.Position(c.Pos()).Line == line {
				return true
			}
		}
	}
	return false
}

// selections calls see for every use of a name of an imported package, such as http.Server: the import's path and the name.
func (f *file) selections(see func(importPath, name string, at ast.Node)) {
	names := map[string]string{}
	for _, imp := range f.Imports {
		path := strings.Trim(imp.Path.Value, `"`)
		name := path[strings.LastIndex(path, "/")+1:]
		if imp.Name != nil {
			name = imp.Name.Name
		}
		names[name] = path
	}
	ast.Inspect(f.File, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && names[x.Name] != "" {
			see(names[x.Name], s.Sel.Name, s)
		}
		return true
	})
}
