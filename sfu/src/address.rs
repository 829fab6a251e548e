//! The addresses that clients are told to send to.

use crate::socket::from_sockaddr;
use std::io;
use std::net::{IpAddr, SocketAddr};
use transport::Candidate;

/// More addresses than this only slow connecting down: a client checks each of them.
const MAX_CANDIDATES: usize = 16;

/// Candidates of a worker whose sockets are bound as in `bound`. `announced` replaces the machine's own addresses;
/// `machine` is what [`machine_ips`] found.
pub fn candidates(bound: &[SocketAddr], announced: &[IpAddr], machine: &[IpAddr]) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for socket in bound {
        let same_family = |ip: &&IpAddr| ip.is_ipv4() == socket.is_ipv4();
        let ips: Vec<IpAddr> = if !announced.is_empty() {
            announced.iter().filter(same_family).copied().collect()
        } else if socket.ip().is_unspecified() {
            machine.iter().filter(same_family).copied().collect()
        } else {
            vec![socket.ip()]
        };
        candidates
            .extend(ips.into_iter().map(|ip| Candidate { address: SocketAddr::new(ip, socket.port()) }));
    }
    // Loopback last: other machines cannot use it, and Firefox does not. A browser of the same machine does.
    candidates.sort_by_key(|candidate| candidate.address.ip().is_loopback());
    candidates.truncate(MAX_CANDIDATES);
    candidates
}

/// Addresses of the interfaces that are up, link-local ones left out: they need a scope, which SDP cannot say.
pub fn machine_ips() -> io::Result<Vec<IpAddr>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: on success `list` is a chain of valid entries until `freeifaddrs`.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut ips = Vec::new();
    let mut next = list;
    while !next.is_null() {
        // SAFETY: `next` is an entry of the chain.
        let entry = unsafe { &*next };
        next = entry.ifa_next;
        let running = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_uint;
        if entry.ifa_flags & running != running || entry.ifa_addr.is_null() {
            continue;
        }
        // SAFETY: the address is as long as its family says; only that part is copied and read.
        let address = unsafe {
            let mut storage: libc::sockaddr_storage = std::mem::zeroed();
            let len = match libc::c_int::from((*entry.ifa_addr).sa_family) {
                libc::AF_INET => size_of::<libc::sockaddr_in>(),
                libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
                _ => continue,
            };
            std::ptr::copy_nonoverlapping(entry.ifa_addr.cast::<u8>(), (&raw mut storage).cast::<u8>(), len);
            from_sockaddr(&storage)
        };
        let Some(ip) = address.map(|address| address.ip()) else { continue };
        let link_local = match ip {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        if !link_local && !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    // SAFETY: `list` came from `getifaddrs` and is not used afterwards.
    unsafe { libc::freeifaddrs(list) };
    Ok(ips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_at_least_its_loopback_address() {
        let ips = machine_ips().unwrap();
        assert!(ips.contains(&"127.0.0.1".parse().unwrap()), "{ips:?}");
        assert!(!ips.iter().any(|ip| ip.is_unspecified()), "{ips:?}");
    }

    #[test]
    fn wildcard_sockets_are_reached_at_every_address_of_their_family_loopback_last() {
        let machine = ips(&["127.0.0.1", "192.0.2.2", "::1", "2001:db8::2"]);
        let found = candidates(&sockets(&["0.0.0.0:5000", "[::]:5000"]), &[], &machine);
        assert_eq!(texts(&found), ["192.0.2.2:5000", "[2001:db8::2]:5000", "127.0.0.1:5000", "[::1]:5000"]);
    }

    #[test]
    fn a_bound_address_is_the_only_one() {
        let found = candidates(&sockets(&["192.0.2.2:5000"]), &[], &ips(&["127.0.0.1", "192.0.2.2"]));
        assert_eq!(texts(&found), ["192.0.2.2:5000"]);
    }

    #[test]
    fn announced_addresses_replace_the_machine_s() {
        let found = candidates(
            &sockets(&["0.0.0.0:5000"]),
            &ips(&["203.0.113.7", "2001:db8::9"]),
            &ips(&["10.0.0.1"]),
        );
        assert_eq!(texts(&found), ["203.0.113.7:5000"], "and need a socket of their family");
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }
    fn sockets(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }
    fn texts(candidates: &[Candidate]) -> Vec<String> {
        candidates.iter().map(|candidate| candidate.address.to_string()).collect()
    }
}
