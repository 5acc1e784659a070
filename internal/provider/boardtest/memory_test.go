package boardtest_test

import (
	"testing"

	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/boardtest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	boardtest.Run(t, func(testing.TB) boardtest.Opened {
		m := &boardtest.Memory{}
		return func() provider.Board { return m }
	})
}
