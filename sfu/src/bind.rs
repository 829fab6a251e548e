//! Opening the sockets of all workers, or saying in one sentence why not.

use crate::config::{Config, StartError};
use crate::socket::{BufferSizes, Socket};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Tries at finding a port that is free for both address families when the system may choose.
const EPHEMERAL_TRIES: usize = 20;

/// The sockets of one worker: at most one per address family.
pub type WorkerSockets = Vec<Socket>;

/// Sockets for `workers` workers, and the smallest buffers that were granted.
pub fn open(config: &Config, workers: usize) -> Result<(Vec<WorkerSockets>, BufferSizes), StartError> {
    let ips: Vec<IpAddr> =
        config.bind_v4.map(IpAddr::V4).into_iter().chain(config.bind_v6.map(IpAddr::V6)).collect();
    if ips.is_empty() {
        return Err(StartError::NoAddressFamily);
    }
    let sockets = if config.port_per_worker {
        let past_the_end = config.udp_port != 0 && usize::from(config.udp_port) + workers > 65_536;
        if past_the_end {
            return Err(StartError::PortsEndPast65535 { port: config.udp_port, workers });
        }
        let mut all = Vec::new();
        for worker in 0..workers {
            let port = if config.udp_port == 0 { 0 } else { config.udp_port + worker as u16 };
            all.extend(open_port(&ips, port, 1)?);
        }
        all
    } else {
        open_port(&ips, config.udp_port, workers)?
    };
    let mut granted = config.buffers;
    for socket in sockets.iter().flatten() {
        let sizes = socket
            .size_buffers(config.buffers)
            .map_err(|source| StartError::Socket { address: socket.bound(), source })?;
        granted.receive = granted.receive.min(sizes.receive);
        granted.send = granted.send.min(sizes.send);
    }
    warn_of_small_buffers(config.buffers, granted);
    Ok((sockets, granted))
}

fn warn_of_small_buffers(wanted: BufferSizes, granted: BufferSizes) {
    for (what, limit, wanted, granted) in [
        ("receive", "net.core.rmem_max", wanted.receive, granted.receive),
        ("send", "net.core.wmem_max", wanted.send, granted.send),
    ] {
        if granted < wanted {
            tracing::warn!(
                "the UDP {what} buffer is {granted} bytes instead of {wanted}: packets will be lost in bursts; \
                 run `sysctl -w {limit}={wanted}` and start again"
            );
        }
    }
}

/// One port on every address, `workers` sockets each.
fn open_port(ips: &[IpAddr], port: u16, workers: usize) -> Result<Vec<WorkerSockets>, StartError> {
    let tries = if port == 0 { EPHEMERAL_TRIES } else { 1 };
    let mut result = try_port(ips, port, workers);
    for _ in 1..tries {
        // Another program may hold the port that the system chose for IPv4 on IPv6.
        if !matches!(result, Err(StartError::PortTaken { .. })) {
            break;
        }
        result = try_port(ips, port, workers);
    }
    result
}

fn try_port(ips: &[IpAddr], mut port: u16, workers: usize) -> Result<Vec<WorkerSockets>, StartError> {
    let mut all: Vec<WorkerSockets> = (0..workers).map(|_| Vec::new()).collect();
    for &ip in ips {
        // Alone first, even where the workers share: a shared port could be joined while another server runs on it.
        let alone = match Socket::bind(SocketAddr::new(ip, port), false) {
            Ok(socket) => socket,
            Err(e) if ip.is_ipv6() && ip.is_unspecified() && is_family_missing(&e) => {
                tracing::info!("this machine has no IPv6: media goes over IPv4 only");
                continue;
            }
            Err(e) => return Err(bind_error(e, SocketAddr::new(ip, port))),
        };
        let address = alone.bound();
        port = address.port();
        if let [only] = all.as_mut_slice() {
            only.push(alone);
            continue;
        }
        drop(alone);
        for sockets in &mut all {
            sockets.push(Socket::bind(address, true).map_err(|e| bind_error(e, address))?);
        }
    }
    if all.iter().any(Vec::is_empty) { Err(StartError::NoAddressFamily) } else { Ok(all) }
}

fn is_family_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}

fn bind_error(source: io::Error, address: SocketAddr) -> StartError {
    match source.raw_os_error() {
        Some(libc::EADDRINUSE) => StartError::PortTaken { ip: address.ip(), port: address.port() },
        Some(libc::EACCES | libc::EPERM) => StartError::PortForbidden { port: address.port() },
        Some(libc::EADDRNOTAVAIL) => StartError::NoSuchAddress { ip: address.ip() },
        _ => StartError::Socket { address, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_one_port_over_both_families() {
        let (all, _) = open(&Config::default(), 3).unwrap();
        let port = all[0][0].bound().port();
        assert!(port != 0);
        assert_eq!(all.len(), 3);
        assert!(all.iter().flatten().all(|socket| socket.bound().port() == port));
        assert!(all.iter().all(|sockets| sockets.iter().filter(|s| s.bound().is_ipv4()).count() == 1));
    }

    #[test]
    fn a_port_per_worker_is_a_row_of_ports() {
        let (first, _) = open(&Config { port_per_worker: true, ..local() }, 2).unwrap();
        assert_ne!(first[0][0].bound().port(), first[1][0].bound().port());
        let error = open(&Config { port_per_worker: true, udp_port: 65_535, ..local() }, 2).unwrap_err();
        assert!(matches!(error, StartError::PortsEndPast65535 { .. }), "{error}");
    }

    #[test]
    fn a_second_server_on_the_port_is_told_so_even_though_workers_share() {
        let (first, _) = open(&local(), 2).unwrap();
        let port = first[0][0].bound().port();
        let error = open(&Config { udp_port: port, ..local() }, 2).unwrap_err();
        assert!(matches!(error, StartError::PortTaken { .. }));
        let text = error.to_string();
        assert!(text.contains(&port.to_string()) && text.contains("--udp-port"), "{text}");
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let config = Config { bind_v4: Some("192.0.2.200".parse().unwrap()), ..local() };
        assert!(matches!(open(&config, 1), Err(StartError::NoSuchAddress { .. })));
        let config = Config { bind_v4: None, ..local() };
        assert!(matches!(open(&config, 1), Err(StartError::NoAddressFamily)));
    }

    #[test]
    fn the_buffers_granted_are_reported() {
        let wanted = BufferSizes { receive: 100_000, send: 120_000 };
        let (_, granted) = open(&Config { buffers: wanted, ..local() }, 1).unwrap();
        assert_eq!(granted, wanted);
    }

    fn local() -> Config {
        Config { bind_v4: Some("127.0.0.1".parse().unwrap()), bind_v6: None, ..Config::default() }
    }
}
