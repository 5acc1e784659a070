package api

import (
	"net/http"

	"github.com/promptd/promptd/internal/fault"
)

// Standby is what a process without the role api serves on its listener: health, and metrics for keys of that scope. Every other path says who serves it.
func (s *Server) Standby() http.Handler {
	mux := http.NewServeMux()
	all := s.Handler()
	for _, r := range s.routes() {
		if r.admin || r.path == "/v1/metrics" {
			mux.Handle(r.method+" "+r.path, all)
		}
	}
	mux.Handle("/", s.elsewhere())
	return mux
}

func (s *Server) elsewhere() http.Handler {
	return s.endpoint(route{open: true, handle: func(*call) error {
		f := fault.New(fault.NotFound, "this process serves health and metrics alone")
		f.Remediation = "Ask a process that has the role api."
		return f
	}})
}
