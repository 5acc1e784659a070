//go:build unix

package postgres_test

import (
	"testing"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
	"github.com/promptd/promptd/internal/store/storetest"
)

func BenchmarkJobs(b *testing.B) {
	storetest.BenchJobs(b, func(b *testing.B) job.Store { return open(b, postgres.Options{URL: postgrestest.Database(b)}).Jobs() })
}
