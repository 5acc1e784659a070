package openai_test

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/openai"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	dialecttest.RunBatches(t, openai.New())
}

func FuzzBatch(f *testing.F) { dialecttest.FuzzBatch(f, openai.New()) }
