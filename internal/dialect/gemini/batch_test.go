package gemini_test

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/gemini"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	dialecttest.RunBatches(t, gemini.New())
}

func FuzzBatch(f *testing.F) { dialecttest.FuzzBatch(f, gemini.New()) }
