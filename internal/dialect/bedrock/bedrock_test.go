package bedrock_test

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect/bedrock"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite{
		Dialect: bedrock.New(),
		// bedrock-invoke-anthropic and bedrock-mantle are other interfaces of the same service: they are tested with the dialects whose format they have.
		Fixtures:  []string{"bedrock"},
		Reference: dialecttest.Converse,
		Frame:     dialecttest.ConverseStream,
		Wire:      dialecttest.ConverseText,
	})
}

func FuzzDecode(f *testing.F) { dialecttest.FuzzDecode(f, bedrock.New(), "bedrock") }
func FuzzStream(f *testing.F) { dialecttest.FuzzStream(f, bedrock.New(), "bedrock") }
func FuzzFail(f *testing.F)   { dialecttest.FuzzFail(f, bedrock.New(), "bedrock") }
