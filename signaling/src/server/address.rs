//! Where to listen for HTTP.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::{TcpListener, TcpSocket};

/// `8080` or `:8080`: every address of the machine, IPv4 and IPv6. `localhost:8080`: both loopback addresses.
/// `192.0.2.7:8080`, `[2001:db8::7]:8080`: that one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listen {
    Everywhere(u16),
    Localhost(u16),
    Address(SocketAddr),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write a port (8080), or an address and a port (localhost:8080, 0.0.0.0:8080, [::1]:8080)")]
pub struct BadListen;

impl FromStr for Listen {
    type Err = BadListen;
    fn from_str(text: &str) -> Result<Self, BadListen> {
        if let Ok(port) = text.trim_start_matches(['*', ':']).parse() {
            return Ok(Self::Everywhere(port));
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            return port.parse().map(Self::Localhost).map_err(|_| BadListen);
        }
        text.parse().map(Self::Address).map_err(|_| BadListen)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(port) => write!(f, "{port}"),
            Self::Localhost(port) => write!(f, "localhost:{port}"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl Listen {
    pub fn port(self) -> u16 {
        match self {
            Self::Everywhere(port) | Self::Localhost(port) => port,
            Self::Address(address) => address.port(),
        }
    }

    /// IPv4 first. A machine without IPv6 does without; one that has it must get the port on both, or half of its
    /// clients would reach another program.
    fn addresses(self) -> Vec<SocketAddr> {
        let both = |v4: Ipv4Addr, v6: Ipv6Addr, port| {
            vec![SocketAddr::new(IpAddr::V4(v4), port), SocketAddr::new(IpAddr::V6(v6), port)]
        };
        match self {
            Self::Everywhere(port) => both(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED, port),
            Self::Localhost(port) => both(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST, port),
            Self::Address(address) => vec![address],
        }
    }

    /// Port 0 lets the system choose one, the same for both families.
    pub(super) fn bind(self) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
        let mut listeners: Vec<TcpListener> = Vec::new();
        for mut address in self.addresses() {
            if let Some(first) = listeners.first().and_then(|l| l.local_addr().ok()) {
                address.set_port(first.port());
            }
            match bind_one(address) {
                Ok(listener) => listeners.push(listener),
                Err(error) if !listeners.is_empty() && is_family_missing(&error) => {}
                Err(error) => return Err((address, error)),
            }
        }
        Ok(listeners)
    }
}

/// Not yet accepted connections that the kernel keeps: enough for everybody who comes back after a restart.
const BACKLOG: u32 = 1024;

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None)?;
            // IPv4 has a socket of its own.
            socket.set_only_v6(true)?;
            socket.set_nonblocking(true)?;
            TcpSocket::from_std_stream(socket.into())
        }
    };
    // A restart need not wait until the old connections are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn is_family_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EPROTONOSUPPORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_in_the_ways_people_write_it() {
        let read = |text: &str| text.parse::<Listen>();
        assert_eq!(read("8080"), Ok(Listen::Everywhere(8080)));
        assert_eq!(read(":8080"), Ok(Listen::Everywhere(8080)));
        assert_eq!(read("*:8080"), Ok(Listen::Everywhere(8080)));
        assert_eq!(read("localhost:0"), Ok(Listen::Localhost(0)));
        assert_eq!(read("127.0.0.1:1"), Ok(Listen::Address("127.0.0.1:1".parse().unwrap())));
        assert_eq!(read("[::1]:1"), Ok(Listen::Address("[::1]:1".parse().unwrap())));
        for text in ["", "x", "70000", "localhost", "localhost:x", "127.0.0.1", "::1:80:"] {
            assert_eq!(read(text), Err(BadListen), "{text}");
        }
    }

    #[tokio::test]
    async fn a_port_chosen_by_the_system_is_the_same_for_both_families() {
        let listeners = Listen::Localhost(0).bind().unwrap();
        let ports: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert!(ports[0] != 0 && ports.iter().all(|p| *p == ports[0]), "{ports:?}");
        let taken = Listen::Address(listeners[0].local_addr().unwrap()).bind().unwrap_err();
        assert_eq!(taken.1.kind(), io::ErrorKind::AddrInUse);
    }
}
