package memory_test

import (
	"testing"

	"github.com/promptd/promptd/internal/broadcast"
	"github.com/promptd/promptd/internal/broadcast/broadcasttest"
	"github.com/promptd/promptd/internal/broadcast/memory"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	broadcasttest.Run(t, func(*testing.T) (one, other broadcast.Broadcaster) {
		b := &memory.Broadcaster{}
		return b, b
	})
}
