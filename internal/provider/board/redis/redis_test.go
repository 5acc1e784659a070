package redis_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/provider"
	board "github.com/promptd/promptd/internal/provider/board/redis"
	"github.com/promptd/promptd/internal/provider/boardtest"
	"github.com/promptd/promptd/internal/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBoardKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		boardtest.Run(t, func(tb testing.TB) boardtest.Opened {
			tb.Helper()
			own := s
			own.Prefix += tb.Name() + ":"
			return func() provider.Board { return board.New(own.Open(tb)) }
		})
	})
}
