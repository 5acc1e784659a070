package doctest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

func TestBlocksOfJSONParse(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, b := range blocks(t) {
		if b.language != "json" {
			continue
		}
		seen++
		v, err := value.DecodeString(b.text, value.Limits{})
		if err != nil {
			t.Errorf("%s:%d: %v", b.page, b.line, err)
			continue
		}
		if _, ok := v.Get("prompt"); ok {
			checkRequest(t, b, []byte(b.text))
		}
	}
	if seen == 0 {
		t.Error("no block of json was found")
	}
}

// checkRequest reads a body as POST /v1/analyze does, or one with items as POST /v1/analyze/batch does.
func checkRequest(t *testing.T, b block, raw []byte) {
	t.Helper()
	v, err := body.Decode(raw)
	defaults := prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4}
	_, batch := v.Get("items")
	switch {
	case err != nil:
	case batch:
		var items []prompt.Item
		items, err = prompt.ReadBatch(v, defaults)
		for i := range items {
			err = errors.Join(err, items[i].Fault)
		}
	default:
		_, err = prompt.Read(v, defaults)
	}
	if err != nil {
		t.Errorf("%s:%d: POST /v1/analyze would refuse this body: %v\n%s", b.page, b.line, err, raw)
	}
}

func TestBlocksOfYAMLAreConfigurations(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, b := range blocks(t) {
		if b.language != "yaml" {
			continue
		}
		seen++
		loaded, err := config.Load(config.Options{
			File: "promptd.yaml", Environ: referenced(b.text), Adapters: app.Adapters(),
			ReadFile: func(path string) ([]byte, error) {
				switch {
				case path == "promptd.yaml":
					return []byte(b.text), nil
				case strings.Contains(b.text, "file:"+path):
					return []byte("secret"), nil
				}
				return nil, fs.ErrNotExist
			},
		})
		if err != nil {
			t.Errorf("%s:%d: %v", b.page, b.line, err)
			continue
		}
		for _, w := range loaded.Warnings {
			t.Errorf("%s:%d: a documented configuration gives a warning: %v", b.page, b.line, w)
		}
	}
	if seen == 0 {
		t.Error("no block of yaml was found")
	}
}

// referenced makes an environment of the variables that a configuration names.
func referenced(text string) []string {
	var vars []string
	for _, m := range regexp.MustCompile(`env:([A-Z_]+)|\$\{([A-Z_]+)\}`).FindAllStringSubmatch(text, -1) {
		vars = append(vars, m[1]+m[2]+"=secret")
	}
	return vars
}

func TestBlocksOfShellAreSyntacticallyRight(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skipf("SKIPPED: there is no sh here: %v", err)
	}
	for _, b := range blocks(t) {
		if b.language != "sh" {
			continue
		}
		cmd := exec.Command(sh, "-n")
		cmd.Stdin = strings.NewReader(b.text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s:%d: %v\n%s", b.page, b.line, err, out)
		}
	}
}

func TestBodiesOfCurlAreTakenByTheAPI(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile(`(?s)(?:-d|--data)\s+'(\{.*?\})'`)
	file := regexp.MustCompile(`(?:-d|--data|--data-binary)\s+@(\S+)`)
	seen := 0
	for _, b := range blocks(t) {
		if b.language != "sh" {
			continue
		}
		// A block may hold several commands; only those to this endpoint carry its bodies.
		for command := range strings.SplitSeq(strings.ReplaceAll(b.text, "\\\n", " "), "curl ") {
			if !strings.Contains(command, "/v1/analyze") {
				continue
			}
			for _, m := range inline.FindAllStringSubmatch(command, -1) {
				checkRequest(t, b, []byte(m[1]))
				seen++
			}
			for _, m := range file.FindAllStringSubmatch(command, -1) {
				raw, err := os.ReadFile(filepath.Join(root, m[1]))
				if errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s:%d: there is no file %s", b.page, b.line, m[1])
					continue
				}
				checkRequest(t, b, raw)
				seen++
			}
		}
	}
	if seen < 3 {
		t.Errorf("only %d bodies were found: are the patterns still right?", seen)
	}
}
