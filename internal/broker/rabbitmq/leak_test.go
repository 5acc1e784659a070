package rabbitmq_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Whatever happened to connections, nothing of them is left behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
