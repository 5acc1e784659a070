package delivery

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// connectLimit bounds a connection, with the look-up of the name.
const connectLimit = 5 * time.Second

// blockedError says that a name led to an address that is not to be called.
type blockedError struct{ what string }

func (e *blockedError) Error() string { return "the name leads to " + e.what }

// dialer connects to addresses that the policy allows. The address is looked at when the connection is made, after the name was looked up and for each address
// that it has: a name that leads elsewhere the second time does not get by.
func (p Policy) dialer(resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{
		Timeout: connectLimit, Resolver: resolver,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			if network != "tcp4" && network != "tcp6" {
				return &blockedError{"a network that is not TCP"}
			}
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("read the address of a connection: %w", err)
			}
			if why := p.Blocks(at.Addr()); why != "" {
				return &blockedError{why}
			}
			return nil
		},
	}
}
