//! The classification of IP addresses: which of them belong to the public Internet.
//!
//! It follows IANA's registries of special-purpose addresses (RFC 6890 and its successors).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network that an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The public Internet.
    Public,
    /// This machine or its local network. Only the user can grant it.
    Near(&'static str),
    /// A network that no name should resolve to: link-local (where clouds keep their secrets), multicast, broadcast, or
    /// unused addresses.
    Nowhere(&'static str),
}

/// Returns the network of an address. An IPv6 address that contains an IPv4 address belongs to the network of the
/// latter.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [127, ..] => Reach::Near("a loopback address"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Reach::Near("a private address"),
        [100, 64..=127, ..] => Reach::Near("a shared address (100.64.0.0/10)"),
        [169, 254, ..] => Reach::Nowhere("a link-local address"),
        [0, ..] => Reach::Nowhere("an unspecified address"),
        [224..=239, ..] => Reach::Nowhere("a multicast address"),
        [255, 255, 255, 255] => Reach::Nowhere("the broadcast address"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Reach::Nowhere("an address for documentation")
        }
        [198, 18..=19, ..] => Reach::Nowhere("an address for benchmarks"),
        [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => Reach::Nowhere("a reserved address"),
        _ => Reach::Public,
    }
}

fn v6(address: Ipv6Addr) -> Reach {
    let [.., high, low] = address.segments();
    let last = || v4(embedded(high, low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Reach::Nowhere("an unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Near("a loopback address"),
        // IPv4-compatible, IPv4-mapped, IPv4-translated, NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            last()
        }
        [0x64, 0xff9b, 1, ..] => Reach::Near("a local translation's address"),
        // 6to4.
        [0x2002, high, low, ..] => v4(embedded(high, low)),
        // Protocol assignments: Teredo, ORCHID, benchmarking and others.
        [0x2001, 0..=0x1ff, ..] => Reach::Nowhere("a reserved address"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Nowhere("an address for documentation"),
        [0xfc00..=0xfdff, ..] => Reach::Near("a unique local address"),
        [0xfec0..=0xfeff, ..] => Reach::Near("a site-local address"),
        [0xfe80..=0xfebf, ..] => Reach::Nowhere("a link-local address"),
        [0xff00..=0xffff, ..] => Reach::Nowhere("a multicast address"),
        // The only block that IANA has ever allocated for global unicast.
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Nowhere("a reserved address"),
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Reach {
        reach(text.parse().unwrap())
    }

    #[test]
    fn every_special_range_is_known_from_its_first_address_to_its_last() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
            ("::", "::1"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
            ("100::", "100::ffff:ffff:ffff:ffff"),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert_ne!(of(first), Reach::Public, "{first}");
            assert_eq!(of(first) == Reach::Public, of(last) == Reach::Public, "{last}");
        }
    }

    #[test]
    fn what_lies_beside_the_special_ranges_is_public() {
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "149.154.167.220",
            "2001:67c:4e8:f004::9",
            "2606:4700::1111",
            "2a00::",
            "3ffe::",
            "3fff:1000::",
        ] {
            assert_eq!(of(text), Reach::Public, "{text}");
        }
    }

    #[test]
    fn the_link_is_nowhere_whatever_carries_it() {
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::ffff:0:a9fe:a9fe",
            "fe80::1",
        ] {
            assert_eq!(of(text), Reach::Nowhere("a link-local address"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_inside_another_leads_where_it_leads_by_itself(bits: u32) {
            let inner = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = inner.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for outer in [
                inner.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            ] {
                prop_assert_eq!(reach(outer.into()), v4(inner), "{}", outer);
            }
        }

        /// The standard library knows some of the special ranges. None of these may count as public here.
        #[test]
        fn nothing_that_the_library_knows_as_special_is_public(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_broadcast() || address.is_documentation() || address.is_multicast() || address.is_unspecified();
            prop_assert!(!special || v4(address) != Reach::Public);
        }
    }
}
