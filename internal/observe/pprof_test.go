package observe

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestProfilesAreServedUnderTheirPathAlone(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{"/debug/pprof/": 200, "/debug/pprof/heap": 200, "/debug/pprof/cmdline": 200, "/": 404, "/debug/pprof/nothing": 404} {
		w := httptest.NewRecorder()
		Profiles().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("GET %s answers %d, want %d", path, w.Code, want)
		}
	}
}
