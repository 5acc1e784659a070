package app

import (
	"context"

	"github.com/promptd/promptd/internal/broker/rabbitmq"
	"github.com/promptd/promptd/internal/config"
)

// remote says whether broker.url names a server.
func remote(c *config.Config) bool {
	scheme := c.Broker.URL.Scheme()
	return scheme == "amqp" || scheme == "amqps"
}

// CheckBroker says what is wrong with broker.url, without asking anybody.
func CheckBroker(c *config.Config) error {
	if !remote(c) {
		return nil
	}
	_, err := rabbitmq.New(rabbitmq.Config{URL: c.Broker.URL.Reveal()})
	return err
}

// ReachBroker asks the server of broker.url who it is, and changes nothing there. Where the broker is inside the process the text is empty.
func ReachBroker(ctx context.Context, c *config.Config) (string, error) {
	if !remote(c) {
		return "", nil
	}
	return rabbitmq.Reach(ctx, c.Broker.URL.Reveal())
}
