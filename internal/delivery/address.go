package delivery

import "net/netip"

// Policy says what may be called. The zero Policy allows https to public addresses.
type Policy struct {
	// AllowPrivate allows http, and the addresses of intranets and of this machine. Those of cloud metadata services stay blocked.
	AllowPrivate bool
}

// network is a range that is not the public internet.
type network struct {
	prefix netip.Prefix
	what   string
	// intranet ranges are allowed with AllowPrivate.
	intranet bool
}

// networks are the ranges that are not to be called, after IANA's registries of special-purpose addresses (2026-11) and the cloud providers' documentation. The
// first that holds an address counts.
func networks() []network {
	at := func(prefix, what string) network { return network{netip.MustParsePrefix(prefix), what, false} }
	inside := func(prefix, what string) network { return network{netip.MustParsePrefix(prefix), what, true} }
	return []network{
		at("169.254.169.254/32", "a cloud metadata service"), // AWS, Google, Azure, DigitalOcean and others.
		at("169.254.170.2/32", "a cloud metadata service"),   // AWS ECS task credentials.
		at("100.100.100.200/32", "a cloud metadata service"), // Alibaba Cloud.
		at("168.63.129.16/32", "a cloud metadata service"),   // Azure's wire server, on a public address.
		at("192.0.0.192/32", "a cloud metadata service"),     // Oracle Cloud.
		at("0.0.0.0/8", "an unspecified address"),
		inside("10.0.0.0/8", "a private network"),
		inside("100.64.0.0/10", "a shared (carrier-grade NAT) network"),
		inside("127.0.0.0/8", "this machine"),
		at("169.254.0.0/16", "a link-local address"),
		inside("172.16.0.0/12", "a private network"),
		at("192.0.0.0/24", "a reserved network"),
		at("192.0.2.0/24", "a documentation network"),
		at("192.31.196.0/24", "a reserved network"),
		at("192.52.193.0/24", "a reserved network"),
		at("192.88.99.0/24", "a reserved network"),
		inside("192.168.0.0/16", "a private network"),
		at("192.175.48.0/24", "a reserved network"),
		at("198.18.0.0/15", "a benchmark network"),
		at("198.51.100.0/24", "a documentation network"),
		at("203.0.113.0/24", "a documentation network"),
		at("224.0.0.0/4", "a multicast address"),
		at("240.0.0.0/4", "a reserved network"),

		at("::/128", "an unspecified address"),
		inside("::1/128", "this machine"),
		at("fd00:ec2::/32", "a cloud metadata service"),    // AWS: instance metadata at ::254, time at ::123, the resolver at ::253, credentials of pods at ::23.
		at("fd20:ce::254/128", "a cloud metadata service"), // Google.
		inside("fc00::/7", "a private network"),
		at("fe80::/10", "a link-local address"),
		at("ff00::/8", "a multicast address"),
		at("2001::/23", "a tunnel (Teredo) or reserved network"),
		at("2001:db8::/32", "a documentation network"),
		at("2002::/16", "a tunnel (6to4)"),
		at("2620:4f:8000::/48", "a reserved network"),
		at("3fff::/20", "a documentation network"),
	}
}

// Blocks says why an address is not to be called, in words that follow "leads to"; empty where it may be.
func (p Policy) Blocks(addr netip.Addr) string {
	addr = addr.WithZone("").Unmap()
	if netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		// NAT64: a network without IPv4 reaches the whole IPv4 internet by this prefix, so that what is inside decides.
		raw := addr.As16()
		return p.Blocks(netip.AddrFrom4([4]byte(raw[12:])))
	}
	for _, n := range networks() {
		if n.prefix.Contains(addr) {
			if n.intranet && p.AllowPrivate {
				return ""
			}
			return n.what
		}
	}
	// What is not global unicast is blocked even where no name fits, such as IPv4-compatible addresses and the local NAT64 prefix 64:ff9b:1::/48.
	if !addr.IsValid() || addr.Is6() && !netip.MustParsePrefix("2000::/3").Contains(addr) {
		return "an address that is not of the public internet"
	}
	return ""
}
