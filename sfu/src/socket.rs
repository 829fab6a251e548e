//! One UDP socket of one worker: datagrams in with GRO, datagrams out with GSO, and nothing decided.
//!
//! Receiving yields what the kernel coalesced: one buffer of equal segments (the last may be shorter), all from one
//! source. Sending takes the same shape. The local address travels in `IP_PKTINFO`/`IPV6_PKTINFO` both ways, so that a
//! socket bound to the wildcard address answers from the address that was spoken to.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// The most that the kernel coalesces into one receive, and therefore the size of a receive buffer.
pub const RECEIVE_BUFFER_LEN: usize = 65_536;

/// Room for the control messages of one datagram: packet info (40 bytes for IPv6), `UDP_GRO` or `UDP_SEGMENT`,
/// `SO_RXQ_OVFL`, each with its header, and alignment.
const CONTROL_WORDS: usize = 16;

/// A bound, non-blocking UDP socket.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    bound: SocketAddr,
    overflows: u32,
    gso: bool,
    gro: bool,
}

/// What one receive call yielded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    pub from: SocketAddr,
    /// The address of ours that it was sent to.
    pub local: SocketAddr,
    /// Bytes in the buffer.
    pub len: usize,
    /// Every datagram in the buffer has this size, only the last may be shorter. Never zero.
    pub segment_size: usize,
    /// The buffer was too small and the rest is lost; never seen with [`RECEIVE_BUFFER_LEN`].
    pub truncated: bool,
    /// When the kernel took it in, since 1970; only from a socket that was told to say so.
    pub arrived: Option<Duration>,
    /// Datagrams that the kernel dropped since the receive before, because the socket's buffer was full.
    pub overflowed: u32,
}

/// What the kernel granted, in bytes as asked for (the kernel keeps twice that for its own overhead).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BufferSizes {
    pub receive: usize,
    pub send: usize,
}

impl Socket {
    /// Binds a non-blocking socket. With `shared` other sockets of this process may bind the same port
    /// (`SO_REUSEPORT`) and the kernel spreads the flows over them.
    ///
    /// IPv6 sockets take IPv6 only: the IPv4 traffic has a socket of its own.
    pub fn bind(address: SocketAddr, shared: bool) -> io::Result<Self> {
        let domain = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: plain system call; the descriptor is owned from here on.
        let fd = unsafe {
            let raw = check(libc::socket(domain, kind, 0))?;
            OwnedFd::from_raw_fd(raw)
        };
        if shared {
            set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        }
        if address.is_ipv6() {
            set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
            set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
        } else {
            set_option(&fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
        }
        set_option(&fd, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
        let (name, name_len) = to_sockaddr(address);
        // SAFETY: `name` is a valid socket address of `name_len` bytes.
        check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const name).cast(), name_len) })?;
        // Kernels before 4.18 (GSO) and 5.0 (GRO) refuse; then every datagram is a call of its own.
        let gso = set_option(&fd, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok();
        let gro = set_option(&fd, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok();
        let bound = local_address(&fd)?;
        Ok(Self { fd, bound, overflows: 0, gso, gro })
    }

    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Whether the kernel takes several segments in one call.
    pub fn has_gso(&self) -> bool {
        self.gso
    }

    /// Whether the kernel hands over several segments in one call.
    pub fn has_gro(&self) -> bool {
        self.gro
    }

    /// Asks for buffers of these sizes, past the system's limit where the process may (`CAP_NET_ADMIN`), and returns
    /// what was granted.
    pub fn size_buffers(&self, wanted: BufferSizes) -> io::Result<BufferSizes> {
        let grant = |force, plain, bytes: usize| -> io::Result<usize> {
            let bytes = i32::try_from(bytes).unwrap_or(i32::MAX / 2);
            if set_option(&self.fd, libc::SOL_SOCKET, force, bytes).is_err() {
                set_option(&self.fd, libc::SOL_SOCKET, plain, bytes)?;
            }
            // The kernel doubles the value that it is given and returns the doubled one (socket(7)).
            Ok(option(&self.fd, libc::SOL_SOCKET, plain)? as usize / 2)
        };
        Ok(BufferSizes {
            receive: grant(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, wanted.receive)?,
            send: grant(libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, wanted.send)?,
        })
    }

    /// From now on every receive says when the kernel took the datagram in.
    pub fn stamp_arrivals(&self) -> io::Result<()> {
        set_option(&self.fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
    }

    /// Takes what is waiting into `buffer`. `WouldBlock` when nothing is.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut control = [0u64; CONTROL_WORDS];
        // SAFETY: all-zero is a valid value of these C structs; every pointer handed to the kernel is to memory that
        // lives until the call returns, with its true length.
        let (len, message, name) = unsafe {
            let mut name: libc::sockaddr_storage = zeroed();
            let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let mut message: libc::msghdr = zeroed();
            message.msg_name = (&raw mut name).cast();
            message.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_iov = &raw mut iov;
            message.msg_iovlen = 1;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = size_of_val(&control) as _;
            let len = libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT);
            if len < 0 {
                return Err(io::Error::last_os_error());
            }
            (len as usize, message, name)
        };
        let from = from_sockaddr(&name).ok_or(io::ErrorKind::InvalidData)?;
        let mut received = Received {
            from,
            local: self.bound,
            len,
            segment_size: len.max(1),
            truncated: message.msg_flags & libc::MSG_TRUNC != 0,
            arrived: None,
            overflowed: 0,
        };
        // SAFETY: the kernel filled `control`, which is still alive, and set `msg_controllen`; the macros stay inside.
        // Payloads are read unaligned.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(&raw const message);
            while !header.is_null() {
                let data = libc::CMSG_DATA(header);
                match ((*header).cmsg_level, (*header).cmsg_type) {
                    (libc::SOL_UDP, libc::UDP_GRO) => {
                        let size = data.cast::<libc::c_int>().read_unaligned();
                        received.segment_size = usize::try_from(size).unwrap_or(0).clamp(1, len.max(1));
                    }
                    (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                        let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                        let ip = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
                        received.local.set_ip(IpAddr::V4(ip));
                    }
                    (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                        let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                        received.local.set_ip(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
                    }
                    (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                        let time = data.cast::<libc::timespec>().read_unaligned();
                        received.arrived = Some(Duration::new(time.tv_sec as u64, time.tv_nsec as u32));
                    }
                    (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                        // A running count of this socket; it wraps.
                        let count = data.cast::<u32>().read_unaligned();
                        received.overflowed = count.wrapping_sub(self.overflows);
                        self.overflows = count;
                    }
                    _ => {}
                }
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
        }
        Ok(received)
    }

    /// Sends `bytes` to `to` in one call, cut by the kernel every `segment_size` bytes when given (GSO).
    ///
    /// `from` is the local address to send from; the wildcard address leaves the choice to the kernel's routes.
    pub fn send(
        &self,
        from: IpAddr,
        to: SocketAddr,
        bytes: &[u8],
        segment_size: Option<u16>,
    ) -> io::Result<()> {
        let mut control = [0u64; CONTROL_WORDS];
        let (mut name, name_len) = to_sockaddr(to);
        // SAFETY: as in `receive`; the control messages written fit `CONTROL_WORDS`, and the header pointers come from
        // the kernel's own macros over that buffer.
        let sent = unsafe {
            let mut iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            let mut message: libc::msghdr = zeroed();
            message.msg_name = (&raw mut name).cast();
            message.msg_namelen = name_len;
            message.msg_iov = &raw mut iov;
            message.msg_iovlen = 1;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = size_of_val(&control) as _;
            let mut used = 0;
            let mut header = libc::CMSG_FIRSTHDR(&raw const message);
            if let Some(size) = segment_size {
                used += put(header, libc::SOL_UDP, libc::UDP_SEGMENT, size);
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
            match from {
                IpAddr::V4(ip) if to.is_ipv4() && !ip.is_unspecified() => {
                    let info = libc::in_pktinfo {
                        ipi_ifindex: 0,
                        ipi_spec_dst: libc::in_addr { s_addr: u32::from(ip).to_be() },
                        ipi_addr: libc::in_addr { s_addr: 0 },
                    };
                    used += put(header, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
                }
                IpAddr::V6(ip) if to.is_ipv6() && !ip.is_unspecified() => {
                    let info = libc::in6_pktinfo {
                        ipi6_addr: libc::in6_addr { s6_addr: ip.octets() },
                        ipi6_ifindex: 0,
                    };
                    used += put(header, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
                }
                _ => {}
            }
            message.msg_controllen = used as _;
            if used == 0 {
                message.msg_control = std::ptr::null_mut();
            }
            libc::sendmsg(self.fd.as_raw_fd(), &raw const message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Writes one control message at `header` and returns the bytes it takes.
///
/// # Safety
/// `header` points to `CMSG_SPACE(size_of::<T>())` writable bytes, aligned for `cmsghdr`.
unsafe fn put<T>(header: *mut libc::cmsghdr, level: libc::c_int, kind: libc::c_int, value: T) -> usize {
    // SAFETY: upheld by the caller.
    unsafe {
        (*header).cmsg_level = level;
        (*header).cmsg_type = kind;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<T>() as u32) as _;
        libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        libc::CMSG_SPACE(size_of::<T>() as u32) as usize
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn set_option(fd: &OwnedFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value outlives the call and has the length given.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), len) })?;
    Ok(())
}

fn option(fd: &OwnedFd, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` and `len` outlive the call; the kernel writes at most `len` bytes.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

fn local_address(fd: &OwnedFd) -> io::Result<SocketAddr> {
    // SAFETY: all-zero is a valid `sockaddr_storage`; the kernel writes at most `len` bytes into it.
    let name = unsafe {
        let mut name: libc::sockaddr_storage = zeroed();
        let mut len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        check(libc::getsockname(fd.as_raw_fd(), (&raw mut name).cast(), &raw mut len))?;
        name
    };
    from_sockaddr(&name).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The kernel's form of an address, and how many bytes of it count.
fn to_sockaddr(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all-zero is a valid `sockaddr_storage`, which is large and aligned enough for both families.
    unsafe {
        let mut storage: libc::sockaddr_storage = zeroed();
        let len = match address {
            SocketAddr::V4(v4) => {
                let name = &mut *(&raw mut storage).cast::<libc::sockaddr_in>();
                name.sin_family = libc::AF_INET as _;
                name.sin_port = v4.port().to_be();
                name.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let name = &mut *(&raw mut storage).cast::<libc::sockaddr_in6>();
                name.sin6_family = libc::AF_INET6 as _;
                name.sin6_port = v6.port().to_be();
                name.sin6_addr.s6_addr = v6.ip().octets();
                name.sin6_scope_id = v6.scope_id();
                size_of::<libc::sockaddr_in6>()
            }
        };
        (storage, len as libc::socklen_t)
    }
}

/// `None` for a family other than IPv4 and IPv6.
pub(crate) fn from_sockaddr(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which of the structs the storage holds.
            let name = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, u16::from_be(name.sin6_port), 0, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    #[test]
    fn a_gso_batch_arrives_as_its_segments_over_ipv4_and_ipv6() {
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let Some((a, mut b)) = pair(ip) else { continue };
            let batch: Vec<u8> = (0..2_500u32).map(|i| (i / 1000) as u8).collect();
            a.send(ip, b.bound(), &batch, Some(1000)).unwrap();
            let segments = receive_segments(&mut b, 3);
            assert_eq!(segments, [vec![0; 1000], vec![1; 1000], vec![2; 500]]);
        }
    }

    #[test]
    fn coalesced_segments_come_with_their_size_and_source() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (a, mut b) = pair(ip).unwrap();
        assert!(a.has_gso() && b.has_gro(), "the kernel of a development machine has both");
        a.send(ip, b.bound(), &[7; 800], Some(200)).unwrap();
        let mut buffer = vec![0; RECEIVE_BUFFER_LEN];
        let received = receive(&mut b, &mut buffer);
        assert_eq!((received.len, received.segment_size), (800, 200), "loopback keeps a GSO batch whole");
        assert_eq!((received.from, received.local), (a.bound(), b.bound()));
    }

    #[test]
    fn a_wildcard_socket_tells_and_chooses_the_local_address() {
        let mut server = Socket::bind("0.0.0.0:0".parse().unwrap(), false).unwrap();
        let client = Socket::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let port = server.bound().port();
        // All of 127/8 is local; the answer must come from the address that was asked, not from 127.0.0.1.
        let asked: SocketAddr = format!("127.0.0.9:{port}").parse().unwrap();
        client.send(client.bound().ip(), asked, b"question", None).unwrap();
        let mut buffer = vec![0; RECEIVE_BUFFER_LEN];
        let received = receive(&mut server, &mut buffer);
        assert_eq!(received.local, asked);
        server.send(received.local.ip(), received.from, b"answer", None).unwrap();
        let mut client = client;
        assert_eq!(receive(&mut client, &mut buffer).from, asked);
    }

    #[test]
    fn what_the_kernel_drops_for_want_of_buffer_is_counted() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (a, mut b) = pair(ip).unwrap();
        b.size_buffers(BufferSizes { receive: 16_384, send: 65_536 }).unwrap();
        let flood = 200;
        for _ in 0..flood {
            a.send(ip, b.bound(), &[1; 1000], None).unwrap();
        }
        let mut buffer = vec![0; RECEIVE_BUFFER_LEN];
        let mut taken = 0;
        while let Ok(received) = b.receive(&mut buffer) {
            taken += received.len.div_ceil(received.segment_size);
        }
        // The count travels with the next datagram that is received.
        a.send(ip, b.bound(), b"after", None).unwrap();
        let dropped = receive(&mut b, &mut buffer).overflowed as usize;
        assert!(taken < flood, "the small buffer overflowed");
        assert!(dropped > 0 && taken + dropped <= flood, "taken {taken}, dropped {dropped}");
    }

    #[test]
    fn two_sockets_share_a_port_only_when_both_say_so() {
        let one = Socket::bind("127.0.0.1:0".parse().unwrap(), true).unwrap();
        Socket::bind(one.bound(), true).expect("shared");
        let error = Socket::bind(one.bound(), false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn the_kernel_says_when_a_datagram_arrived() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (a, mut b) = pair(ip).unwrap();
        b.stamp_arrivals().unwrap();
        let since_1970 = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        // The kernel begins a moment after it was told to; until then the stamp is the time of reading.
        let stamped_on_arrival = (0..100).any(|_| {
            let before = since_1970();
            a.send(ip, b.bound(), b"now", None).unwrap();
            let after = since_1970();
            std::thread::sleep(Duration::from_millis(20));
            let arrived = receive(&mut b, &mut [0; 100]).arrived.unwrap();
            (before..=after).contains(&arrived)
        });
        assert!(stamped_on_arrival);
    }

    #[test]
    fn an_empty_datagram_is_a_datagram() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (a, mut b) = pair(ip).unwrap();
        a.send(ip, b.bound(), &[], None).unwrap();
        let received = receive(&mut b, &mut [0; 100]);
        assert_eq!((received.len, received.segment_size), (0, 1));
    }

    /// Two sockets on `ip`; `None` where the machine has no such address.
    fn pair(ip: IpAddr) -> Option<(Socket, Socket)> {
        let bind = || Socket::bind(SocketAddr::new(ip, 0), false).ok();
        Some((bind()?, bind()?))
    }

    fn receive(socket: &mut Socket, buffer: &mut [u8]) -> Received {
        let give_up = Instant::now() + Duration::from_secs(5);
        loop {
            match socket.receive(buffer) {
                Ok(received) => return received,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && Instant::now() < give_up => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(e) => panic!("nothing received: {e}"),
            }
        }
    }

    fn receive_segments(socket: &mut Socket, count: usize) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; RECEIVE_BUFFER_LEN];
        let mut segments = Vec::new();
        while segments.len() < count {
            let received = receive(socket, &mut buffer);
            segments.extend(buffer[..received.len].chunks(received.segment_size).map(<[u8]>::to_vec));
        }
        segments
    }
}
