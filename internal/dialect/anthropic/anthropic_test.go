package anthropic_test

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite{
		Dialect: anthropic.New(),
		// The same format behind the clouds' addresses is read alike.
		Fixtures:  []string{"anthropic", "vertex-anthropic", "bedrock-invoke-anthropic"},
		Reference: dialecttest.Messages,
		Frame:     dialecttest.MessageStream,
	})
}

func FuzzDecode(f *testing.F) {
	dialecttest.FuzzDecode(f, anthropic.New(), "anthropic", "vertex-anthropic")
}

func FuzzStream(f *testing.F) {
	dialecttest.FuzzStream(f, anthropic.New(), "anthropic", "vertex-anthropic")
}

func FuzzFail(f *testing.F) {
	dialecttest.FuzzFail(f, anthropic.New(), "anthropic", "vertex-anthropic")
}
