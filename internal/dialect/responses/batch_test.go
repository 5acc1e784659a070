package responses_test

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/responses"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	dialecttest.RunBatches(t, responses.New())
}

func FuzzBatch(f *testing.F) { dialecttest.FuzzBatch(f, responses.New()) }
