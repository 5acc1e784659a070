package observe

import (
	"net/http"
	"net/http/pprof"
)

// Profiles serves the runtime's profiles under /debug/pprof/. It belongs on admin_listen alone: a profile costs time,
// and a heap dump holds prompts.
func Profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
