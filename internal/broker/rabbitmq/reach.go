package rabbitmq

import (
	"context"
	"fmt"
)

// Reach opens a connection as a broker does, closes it, and says which server is there. Nothing is declared.
func Reach(ctx context.Context, url string) (string, error) {
	b, err := New(Config{URL: url})
	if err != nil {
		return "", err
	}
	s, err := b.open(ctx, "examination")
	if err != nil {
		return "", err
	}
	defer s.close()
	of := s.conn.Properties // What a server says of itself.
	return fmt.Sprintf("%v %v at %s", of["product"], of["version"], b.target.shown), nil
}
