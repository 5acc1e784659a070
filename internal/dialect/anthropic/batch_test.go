package anthropic_test

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	dialecttest.RunBatches(t, anthropic.New())
}

func FuzzBatch(f *testing.F) { dialecttest.FuzzBatch(f, anthropic.New()) }
