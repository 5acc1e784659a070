package llamacpp_test

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/llamacpp"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite{
		Dialect:   llamacpp.New(),
		Fixtures:  []string{"llamacpp"},
		Reference: dialecttest.ChatCompletions,
		Frame:     dialecttest.EventStream,
	})
}

func FuzzDecode(f *testing.F) { dialecttest.FuzzDecode(f, llamacpp.New(), "llamacpp") }
func FuzzStream(f *testing.F) { dialecttest.FuzzStream(f, llamacpp.New(), "llamacpp") }
func FuzzFail(f *testing.F)   { dialecttest.FuzzFail(f, llamacpp.New(), "llamacpp") }
