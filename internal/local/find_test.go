package local

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
)

func noProgram(string) (string, error) { return "", exec.ErrNotFound }

// serving starts a server that answers /v1/models and gives its address.
func serving(t *testing.T, header http.Header, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/models" {
			t.Errorf("asked for %s, want /v1/models", r.URL.Path)
		}
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func lookAt(t *testing.T, listeners ...listener) Look {
	t.Helper()
	if listeners == nil {
		listeners = []listener{}
	}
	return Look{Dir: filepath.Join(t.TempDir(), "local"), listeners: listeners, lookPath: noProgram}
}

const listOfModels = `{"object":"list","data":[{"id":"nomic-embed-text"},{"id":"qwen3:8b","object":"model","owned_by":"library"},{"id":"other"}]}`

func TestFindTakesWhatListens(t *testing.T) {
	t.Parallel()
	ollama := serving(t, nil, 200, listOfModels)
	llama := serving(t, http.Header{"Server": {"llama.cpp"}}, 200, `{"data":[{"id":"m","owned_by":"llamacpp"}]}`)
	tests := []struct {
		look []listener
		want Endpoint
	}{
		{[]listener{{"ollama", ollama}, {"llama-server", llama}}, Endpoint{Source: "ollama", Dialect: "openai", BaseURL: "http://" + ollama + "/v1", Model: "qwen3:8b"}},
		{[]listener{{"ollama", "127.0.0.1:1"}, {"llama-server", llama}}, Endpoint{Source: "llama-server", Dialect: "llamacpp", BaseURL: "http://" + llama, Model: "m"}},
	}
	for _, test := range tests {
		got, err := Find(t.Context(), lookAt(t, test.look...))
		if err != nil || got.Endpoint != test.want {
			t.Errorf("Find gives %+v, %v; want %+v", got.Endpoint, err, test.want)
		}
	}
}

func TestFindPassesOverWhatIsNoModelServer(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"promptd by its header": serving(t, http.Header{"Server": {"promptd/1.0"}}, 200, listOfModels),
		"wants a key":           serving(t, nil, 401, `{}`),
		"not found":             serving(t, nil, 404, `nothing`),
		"no JSON":               serving(t, nil, 200, `<html>`),
		"no models":             serving(t, nil, 200, `{"data":[]}`),
		"embeddings alone":      serving(t, nil, 200, `{"data":[{"id":"all-embed"}]}`),
		"redirect":              serving(t, http.Header{"Location": {"http://127.0.0.1:1/"}}, 302, ``),
		"nothing":               "127.0.0.1:1",
	}
	for name, address := range tests {
		got, err := Find(t.Context(), lookAt(t, listener{"ollama", address}))
		if !fault.Is(err, fault.ProviderError) {
			t.Errorf("%s: Find gives %+v, %v; want a fault", name, got, err)
		}
	}
	own := serving(t, nil, 200, listOfModels)
	look := lookAt(t, listener{"llama-server", own})
	look.Own = []string{own}
	if got, err := Find(t.Context(), look); err == nil {
		t.Errorf("Find takes promptd's own address: %+v", got)
	}
}

func TestFindDoesNotWaitForASilentListener(t *testing.T) {
	t.Parallel()
	quit := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-quit }))
	defer s.Close()
	defer close(quit)
	address := strings.TrimPrefix(s.URL, "http://")
	began := time.Now()
	_, err := Find(t.Context(), lookAt(t, listener{"ollama", address}, listener{"llama-server", address}, listener{"lm-studio", address}))
	if took := time.Since(began); err == nil || took > 3*askTimeout {
		t.Errorf("Find takes %s over silent listeners (%v), want about %s", took, err, askTimeout)
	}
}

func TestFindSaysPlainlyThatThereIsNone(t *testing.T) {
	t.Parallel()
	_, err := Find(t.Context(), lookAt(t))
	f := fault.Of(err)
	if f.Code != fault.ProviderError || !strings.Contains(f.Detail, "no local model") || !strings.Contains(f.Remediation, "promptd local install") {
		t.Errorf("Find gives %v with remediation %q, want a plain word and the way out", err, f.Remediation)
	}
}

func TestFindTakesLlamaServerWithAFile(t *testing.T) {
	t.Parallel()
	look := lookAt(t)
	look.lookPath = func(name string) (string, error) { return "/opt/bin/" + name, nil }
	if _, err := Find(t.Context(), look); err == nil {
		t.Error("Find takes a llama-server without any file of weights")
	}
	file := filepath.Join(look.Dir, "models", "Mine-7B.gguf")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("GGUF"), 0o644)); err != nil {
		t.Fatal(err)
	}
	got, err := Find(t.Context(), look)
	want := Endpoint{Source: "llama-server", Dialect: "llamacpp", Model: "mine-7b"}
	if err != nil || got.Endpoint != want || !strings.Contains(got.Detail, file) {
		t.Errorf("Find gives %+v, %v; want %+v with %s", got, err, want, file)
	}
}

func TestFindTakesTheInstalledParts(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(s.install())
	look := lookAt(t)
	look.Dir, look.parts = s.dir, s.parts
	got, err := Find(t.Context(), look)
	if err != nil || got.Endpoint.Source != "installed" || !got.Endpoint.LLGuidance {
		t.Errorf("Find gives %+v, %v; want the installed engine", got, err)
	}
	look.lookPath = func(name string) (string, error) { return "/opt/bin/" + name, nil }
	got, err = Find(t.Context(), look)
	if err != nil || got.Endpoint.Source != "llama-server" || got.Endpoint.LLGuidance {
		t.Errorf("with llama-server on PATH, Find gives %+v, %v; want that with the installed weights", got, err)
	}
}

func TestStatusShowsEveryStep(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(s.install())
	promptd := serving(t, http.Header{"Server": {"promptd"}}, 200, listOfModels)
	look := lookAt(t, listener{"llama-server", promptd})
	look.Dir, look.parts = s.dir, s.parts
	steps, err := Status(t.Context(), look)
	if err != nil {
		t.Fatal(err)
	}
	type short struct {
		Number        int
		Found, Chosen bool
	}
	var got []short
	for _, s := range steps {
		got = append(got, short{s.Number, s.Found, s.Chosen})
		if s.What == "" || s.Detail == "" || strings.Contains(s.Detail, "\n") {
			t.Errorf("step %+v does not say on one line what was found", s)
		}
	}
	if diff := cmp.Diff([]short{{1, false, false}, {2, false, false}, {3, false, false}, {4, true, true}}, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	look.Configured = []string{"gemini"}
	steps, err = Status(t.Context(), look)
	if err != nil || !steps[0].Chosen || steps[3].Chosen {
		t.Errorf("with a provider configured the steps are %+v, %v; want the first chosen alone", steps, err)
	}
	steps, err = Status(t.Context(), lookAt(t))
	if last := steps[len(steps)-1]; err != nil || last.Number != 5 || last.Found || !strings.Contains(last.Detail, "promptd local install") {
		t.Errorf("with nothing there the last step is %+v, %v; want the way out", last, err)
	}
}

func FuzzEndpointOf(f *testing.F) {
	f.Add("llama.cpp", []byte(listOfModels))
	f.Add("", []byte(`{"data":[{"id":"a\u0000b"}]}`))
	f.Fuzz(func(t *testing.T, server string, raw []byte) {
		e, err := endpointOf(listener{"ollama", "127.0.0.1:11434"}, server, raw)
		if (err == nil) != (e.Model != "") {
			t.Errorf("a list of models %q gives %+v, %v", raw, e, err)
		}
		if strings.ContainsAny(e.Model, "\n\r\x00") || len(e.Model) > 200 {
			t.Errorf("a list of models %q gives the name %q", raw, e.Model)
		}
	})
}
