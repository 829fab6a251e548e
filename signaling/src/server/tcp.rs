//! What the kernel is asked for, so that signaling gets through a bad network. The native client asks for the same.

use std::os::fd::AsFd;
use std::time::Duration;

/// A name of Linux 6.15 that the crate `libc` does not have.
const TCP_RTO_MAX_MS: libc::c_int = 44;
nix::setsockopt_impl!(
    RtoMaxMs,
    libc::IPPROTO_TCP,
    TCP_RTO_MAX_MS,
    usize,
    nix::sys::socket::sockopt::SetUsize
);
#[derive(Clone, Copy)]
struct RtoMaxMs;
/// The least that it takes.
const SECOND_MS: usize = 1000;
/// A connection on which nothing gets through is given up after so long. The kernel would count repeats, which are soon used up now.
const GIVE_UP: Duration = Duration::from_secs(60);

/// What is lost is sent again every few hundred milliseconds, and then every second, instead of after times that double up to two minutes.
/// As far as the kernel knows how: one before 6.15 doubles them after six repeats.
pub fn repeat_soon(connection: &impl AsFd) {
    let socket = socket2::SockRef::from(connection);
    let _ = socket.set_tcp_thin_linear_timeouts(true);
    let _ = socket.set_tcp_user_timeout(Some(GIVE_UP));
    let _ = nix::sys::socket::setsockopt(connection, RtoMaxMs, &SECOND_MS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    nix::getsockopt_impl!(
        RtoMaxMs,
        libc::IPPROTO_TCP,
        TCP_RTO_MAX_MS,
        usize,
        nix::sys::socket::sockopt::GetUsize
    );

    #[test]
    fn the_kernel_takes_what_it_is_asked_for() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let connection =
            TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
        repeat_soon(&connection);
        let socket = socket2::SockRef::from(&connection);
        assert!(socket.tcp_thin_linear_timeouts().expect("the option is known"));
        assert_eq!(socket.tcp_user_timeout().expect("the option is known"), Some(GIVE_UP));
        // A kernel before 6.15 does not know it.
        let longest = nix::sys::socket::getsockopt(&connection, RtoMaxMs);
        assert!(longest == Ok(SECOND_MS) || longest == Err(nix::errno::Errno::ENOPROTOOPT), "{longest:?}");
    }
}
