package redis_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain finds goroutines that a closed client has left. The library closes connections to servers that have left a cluster some seconds late, and
// delays a look at the cluster's slots, in goroutines that end by themselves.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}
