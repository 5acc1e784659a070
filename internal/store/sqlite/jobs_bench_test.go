//go:build unix

package sqlite_test

import (
	"testing"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/store/storetest"
)

func BenchmarkJobs(b *testing.B) {
	storetest.BenchJobs(b, func(b *testing.B) job.Store { return open(b, sqlite.Options{Dir: b.TempDir()}).Jobs() })
}
