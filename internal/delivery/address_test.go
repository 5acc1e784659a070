package delivery_test

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/delivery"
)

func TestAddressesThatAreNotThePublicInternetsAreBlocked(t *testing.T) {
	t.Parallel()
	for text, blocked := range map[string]bool{
		"8.8.8.8": false, "1.1.1.1": false, "93.184.216.34": false, "172.15.255.255": false, "172.32.0.0": false, "100.63.255.255": false, "100.128.0.0": false, "169.253.255.255": false,
		"192.0.1.0": false, "198.17.255.255": false, "198.20.0.0": false, "223.255.255.255": false, "11.0.0.0": false, "9.255.255.255": false, "128.0.0.0": false, "126.255.255.255": false,
		"2606:4700::1111": false, "2a00:1450:4001::1": false, "2001:200::1": false, "64:ff9b::808:808": false, "::ffff:8.8.8.8": false, "2003::1": false, "2001:4860:4860::8888": false,

		"0.0.0.0": true, "0.1.2.3": true, "10.0.0.0": true, "10.255.255.255": true, "100.64.0.0": true, "100.127.255.255": true, "127.0.0.0": true, "127.255.255.255": true,
		"169.254.0.0": true, "169.254.169.254": true, "169.254.170.2": true, "169.254.255.255": true, "172.16.0.0": true, "172.31.255.255": true, "192.0.0.1": true, "192.0.0.192": true,
		"192.0.2.255": true, "192.88.99.1": true, "192.168.0.0": true, "192.168.255.255": true, "198.18.0.0": true, "198.19.255.255": true, "198.51.100.0": true, "203.0.113.255": true,
		"224.0.0.0": true, "239.255.255.255": true, "240.0.0.0": true, "255.255.255.255": true, "168.63.129.16": true, "100.100.100.200": true,

		"::": true, "::1": true, "::2": true, "::127.0.0.1": true, "::8.8.8.8": true, "::ffff:10.0.0.1": true, "::ffff:169.254.169.254": true, "64:ff9b::7f00:1": true, "64:ff9b::a9fe:a9fe": true,
		"64:ff9b::a00:1": true, "64:ff9b:1::1": true, "64:ff9b:1:ffff::808:808": true, "100::1": true, "2001::1": true, "2001:0:ffff::1": true, "2001:10::1": true, "2001:20::1": true,
		"2001:db8::1": true, "2002:808:808::1": true, "2002:7f00:1::": true, "3fff::1": true, "5f00::1": true, "fc00::1": true, "fd00:ec2::254": true, "fd20:ce::254": true, "fe80::1": true,
		"febf::1": true, "fec0::1": true, "ff00::1": true, "ff02::1": true, "ff0e::1": true, "fe80::1%eth0": true, "2001:db8::1%1": true,
	} {
		if why := (delivery.Policy{}).Blocks(netip.MustParseAddr(text)); (why != "") != blocked {
			t.Errorf("%s: blocked for %q, want blocked %v", text, why, blocked)
		}
	}
	if (delivery.Policy{}).Blocks(netip.Addr{}) == "" {
		t.Error("no address at all is not blocked")
	}
}

// Whatever form of IPv6 carries a blocked IPv4 address is blocked too, with or without AllowPrivate.
func TestFormsOfAnAddressAreJudgedLikeTheAddress(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		policy := delivery.Policy{AllowPrivate: rapid.Bool().Draw(t, "private")}
		four := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
		plain := policy.Blocks(four)
		mapped := netip.AddrFrom16(four.As16())
		raw := four.As16()
		copy(raw[:12], []byte{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})
		for name, other := range map[string]netip.Addr{"mapped": mapped, "NAT64": netip.AddrFrom16(raw)} {
			if got := policy.Blocks(other); got != plain {
				t.Fatalf("%s is %q, its %s form %s is %q", four, plain, name, other, got)
			}
		}
		bytes := four.As4()
		six := append([]byte{0x20, 0x02}, bytes[:]...)
		sixToFour := netip.AddrFrom16([16]byte(append(six, make([]byte, 10)...)))
		compatible := netip.AddrFrom16([16]byte(append(make([]byte, 12), bytes[:]...)))
		for _, other := range []netip.Addr{sixToFour, compatible} {
			if policy.Blocks(other) == "" && other != netip.IPv6Loopback() {
				t.Fatalf("%s, a form of %s that nothing needs, is not blocked", other, four)
			}
		}
	})
}

// AllowPrivate opens intranets, and none of the services by which a cloud gives credentials to those who run in it.
func TestMetadataServicesStayBlockedInIntranets(t *testing.T) {
	t.Parallel()
	policy := delivery.Policy{AllowPrivate: true}
	for _, text := range []string{"169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254", "fd00:ec2::23", "fd00:ec2::123", "fd00:ec2::253", "fd20:ce::254"} {
		if policy.Blocks(netip.MustParseAddr(text)) == "" {
			t.Errorf("%s is not blocked", text)
		}
	}
	if why := policy.Blocks(netip.MustParseAddr("fd00:ec3::23")); why != "" {
		t.Errorf("another private network is blocked: it is %s", why)
	}
}
