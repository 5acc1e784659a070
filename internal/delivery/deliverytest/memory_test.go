package deliverytest_test

import (
	"testing"
	"time"

	"github.com/promptd/promptd/internal/delivery/deliverytest"
	"github.com/promptd/promptd/internal/store/storetest"
)

func TestContracts(t *testing.T) {
	t.Parallel()
	storetest.RunDeliveries(t, func(_ testing.TB, now func() time.Time) storetest.Stores {
		return storetest.Stores{Deliveries: deliverytest.NewMemory(now)}
	})
}
