package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// leastVersion is the oldest release whose commands promptd relies on.
const leastVersion = 7

// ErrRefused says that the server is there and does not take the user, the password or the lack of one.
var ErrRefused = errors.New("redis refuses the user or the password")

// Server is what a server says of itself.
type Server struct {
	// Address names it without secrets.
	Address string
	// Version is empty where the user may not ask (INFO).
	Version string
	// Old says that the version is known and below 7.
	Old bool
	// Replica says that it takes no writes.
	Replica bool
	// Evicts says that it throws keys away when its memory is full, and Policy by which maxmemory-policy; empty is not known.
	Evicts bool
	Policy string
}

// Reach connects as a client does, asks the server who it is, and closes the connection. Nothing is written.
func Reach(ctx context.Context, url string) (Server, error) {
	target, err := ParseURL(url)
	if err != nil {
		return Server{}, err
	}
	s := Server{Address: target.String()}
	conn, err := rueidis.NewClient(target.options())
	if err == nil {
		defer conn.Close()
		err = conn.Do(ctx, conn.B().Ping().Build()).Error()
	}
	if err != nil {
		if refusesUser(err) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return s, fmt.Errorf("connect to %s: %w", s.Address, err)
	}
	text, err := conn.Do(ctx, conn.B().Info().Build()).ToString()
	if err != nil {
		if _, answered := rueidis.IsRedisErr(err); answered {
			return s, nil // The user may do everything else.
		}
		return s, fmt.Errorf("ask %s who it is: %w", s.Address, err)
	}
	s.read(text)
	return s, nil
}

// refusesUser says whether an error is the server's refusal to know the caller.
func refusesUser(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	if !ok {
		return false
	}
	text := refused.Error()
	return strings.Contains(text, "WRONGPASS") || strings.Contains(text, "NOAUTH") || strings.Contains(text, "invalid password")
}

// read takes what is wanted from an answer to INFO.
func (s *Server) read(info string) {
	for line := range strings.Lines(info) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "redis_version":
			s.Version = value
			major, _, _ := strings.Cut(value, ".")
			n, err := strconv.Atoi(major)
			s.Old = err == nil && n < leastVersion
		case "role":
			s.Replica = value == "slave"
		}
	}
	s.Evicts, s.Policy = Evicts(info)
}

// Evicts reads from an answer to INFO whether a server throws keys away when its memory is full, and by which maxmemory-policy; empty is not known.
func Evicts(info string) (evicts bool, policy string) {
	bounded := true // By the operating system at least, where nothing is said.
	for line := range strings.Lines(info) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "maxmemory":
			bounded = value != "0"
		case "maxmemory_policy":
			policy = value
		}
	}
	// The volatile policies evict keys with a time to live, which all of ours have.
	return policy != "" && bounded && policy != "noeviction", policy
}
