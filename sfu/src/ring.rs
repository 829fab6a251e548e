//! Hand-over of datagrams from the worker that the kernel gave them to, to the worker whose peer they are for; and of what routers
//! relay to each other about rooms that live on both.
//!
//! One ring of bytes per ordered pair of workers (single producer, single consumer, no lock). A record is a head of
//! fixed size and the bytes as they were received, several datagrams of one source at once if the kernel coalesced them:
//!
//! ```text
//! | len u32 | segment size u32 | received ns u64 | from 24 | local 24 | bytes ... |
//! | len u32 | 2^32 - 1         | bytes of a router ...                          |
//! ```

use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Split as _};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

/// Bytes of one ring: 400 full-size datagrams, which is what a busy worker gets in a few milliseconds. A larger ring only
/// adds latency: what waits longer than that has a worker that cannot keep up.
pub const CAPACITY: usize = 512 * 1024;

const ADDRESS_LEN: usize = 24;
const HEAD_LEN: usize = 16 + 2 * ADDRESS_LEN;
/// Of a record of a router's.
const RELAY_LEN: usize = 8;
/// No datagram is as long.
const RELAYED: u32 = u32::MAX;

/// Room that packets leave for everything else that routers say, which is little and should not be missed.
const RESERVE: usize = CAPACITY / 4;

/// What comes with the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    pub from: SocketAddr,
    pub local: SocketAddr,
    /// When the datagrams were taken from the socket, since the workers' common start.
    pub received: Duration,
    /// As in [`Received`](crate::socket::Received); zero marks a record without datagrams: the worker at the other end
    /// claims the address `from` as one of its peers'.
    pub segment_size: usize,
}

/// The sending end.
pub struct Sender(HeapProd<u8>);

/// The receiving end.
pub struct Receiver(HeapCons<u8>);

/// The ring has no room; nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// A ring of `capacity` bytes.
pub fn ring(capacity: usize) -> (Sender, Receiver) {
    let (sender, receiver) = HeapRb::new(capacity).split();
    (Sender(sender), Receiver(receiver))
}

/// What a record is; its bytes are beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    Datagrams(Head),
    /// For [`sfu_core::Router::handle_relay`].
    Relay,
}

impl Sender {
    /// What a router says to that of the other worker; `is_media` leaves room for what is not.
    pub fn push_relay(&mut self, bytes: &[u8], is_media: bool) -> Result<(), Full> {
        let reserve = if is_media { RESERVE } else { 0 };
        if self.0.vacant_len() < RELAY_LEN + bytes.len() + reserve {
            return Err(Full);
        }
        let mut encoded = [0; RELAY_LEN];
        encoded[0..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        encoded[4..8].copy_from_slice(&RELAYED.to_le_bytes());
        self.0.push_slice(&encoded);
        self.0.push_slice(bytes);
        Ok(())
    }

    pub fn push(&mut self, head: &Head, bytes: &[u8]) -> Result<(), Full> {
        if self.0.vacant_len() < HEAD_LEN + bytes.len() {
            return Err(Full);
        }
        let mut encoded = [0; HEAD_LEN];
        encoded[0..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        encoded[4..8].copy_from_slice(&(head.segment_size as u32).to_le_bytes());
        encoded[8..16].copy_from_slice(&(head.received.as_nanos() as u64).to_le_bytes());
        encode_address(head.from, &mut encoded[16..16 + ADDRESS_LEN]);
        encode_address(head.local, &mut encoded[16 + ADDRESS_LEN..]);
        // The other end waits for the whole record, so it may see the head first.
        self.0.push_slice(&encoded);
        self.0.push_slice(bytes);
        Ok(())
    }
}

impl Receiver {
    /// The next record: its bytes are the first `len` of `buffer`. `None` when there is none yet.
    ///
    /// `buffer` is as long as a receive buffer, so every record fits.
    pub fn pop(&mut self, buffer: &mut [u8]) -> Option<(Record, usize)> {
        let mut start = [0; RELAY_LEN];
        if self.0.occupied_len() < RELAY_LEN {
            return None;
        }
        self.0.peek_slice(&mut start);
        let number = |at: usize| u32::from_le_bytes(start[at..at + 4].try_into().expect("four bytes"));
        let (len, segment_size) = (number(0) as usize, number(4));
        let head_len = if segment_size == RELAYED { RELAY_LEN } else { HEAD_LEN };
        if self.0.occupied_len() < head_len + len {
            return None;
        }
        let mut encoded = [0; HEAD_LEN];
        self.0.pop_slice(&mut encoded[..head_len]);
        self.0.pop_slice(&mut buffer[..len]);
        if segment_size == RELAYED {
            return Some((Record::Relay, len));
        }
        let received = u64::from_le_bytes(encoded[8..16].try_into().expect("eight bytes"));
        let head = Head {
            from: decode_address(&encoded[16..16 + ADDRESS_LEN]),
            local: decode_address(&encoded[16 + ADDRESS_LEN..]),
            received: Duration::from_nanos(received),
            segment_size: segment_size as usize,
        };
        Some((Record::Datagrams(head), len))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `| 4 or 6 | 0 | port u16 | scope u32 | address 16 |`
fn encode_address(address: SocketAddr, into: &mut [u8]) {
    into[2..4].copy_from_slice(&address.port().to_le_bytes());
    match address {
        SocketAddr::V4(v4) => {
            into[0] = 4;
            into[8..12].copy_from_slice(&v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            into[0] = 6;
            into[4..8].copy_from_slice(&v6.scope_id().to_le_bytes());
            into[8..24].copy_from_slice(&v6.ip().octets());
        }
    }
}

fn decode_address(bytes: &[u8]) -> SocketAddr {
    let port = u16::from_le_bytes(bytes[2..4].try_into().expect("two bytes"));
    if bytes[0] == 4 {
        let octets: [u8; 4] = bytes[8..12].try_into().expect("four bytes");
        SocketAddrV4::new(Ipv4Addr::from(octets), port).into()
    } else {
        let octets: [u8; 16] = bytes[8..24].try_into().expect("sixteen bytes");
        let scope = u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes"));
        SocketAddrV6::new(Ipv6Addr::from(octets), port, 0, scope).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in_across_the_end_of_the_ring() {
        let (mut sender, mut receiver) = ring(4096);
        let mut buffer = vec![0; 65_536];
        for round in 0..100u32 {
            let head = Head {
                from: format!("[2001:db8::{round:x}%7]:{}", 1000 + round).parse().unwrap(),
                local: format!("10.0.0.{round}:3478").parse().unwrap(),
                received: Duration::from_nanos(u64::from(round) * 1_000_003),
                segment_size: 1 + round as usize,
            };
            let bytes = vec![round as u8; 900 + round as usize];
            sender.push(&head, &bytes).unwrap();
            assert_eq!(receiver.pop(&mut buffer), Some((Record::Datagrams(head), bytes.len())));
            assert_eq!(&buffer[..bytes.len()], bytes);
        }
        assert!(receiver.is_empty());
    }

    #[test]
    fn a_full_ring_refuses_and_keeps_what_it_has() {
        let (mut sender, mut receiver) = ring(HEAD_LEN + 10);
        sender.push(&head(), &[1; 10]).unwrap();
        assert_eq!(sender.push(&head(), &[]), Err(Full));
        let mut buffer = [0; 10];
        assert_eq!(receiver.pop(&mut buffer), Some((Record::Datagrams(head()), 10)));
        assert_eq!(receiver.pop(&mut buffer), None);
    }

    #[test]
    fn packets_of_routers_leave_room_for_what_else_they_say() {
        let (mut sender, mut receiver) = ring(CAPACITY);
        let bytes = [7; 16 * 1024];
        let media = (0..).take_while(|_| sender.push_relay(&bytes, true).is_ok()).count();
        assert!((23..=24).contains(&media), "{media}");
        sender.push(&head(), &[1; 10]).unwrap();
        let rest = (0..).take_while(|_| sender.push_relay(&bytes[..100], false).is_ok()).count();
        assert!(rest > 1000, "{rest}");
        let mut buffer = vec![0; 65_536];
        for _ in 0..media {
            assert_eq!(receiver.pop(&mut buffer), Some((Record::Relay, bytes.len())));
            assert_eq!(&buffer[..bytes.len()], bytes);
        }
        assert_eq!(receiver.pop(&mut buffer), Some((Record::Datagrams(head()), 10)));
        assert_eq!((0..).take_while(|_| receiver.pop(&mut buffer).is_some()).count(), rest);
    }

    #[test]
    fn a_reader_on_another_thread_sees_whole_records_in_order() {
        let (mut sender, mut receiver) = ring(10_000);
        let count = 20_000u32;
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            let mut next = 0;
            while next < count {
                let Some((_, len)) = receiver.pop(&mut buffer) else {
                    std::thread::yield_now();
                    continue;
                };
                assert_eq!(len, next as usize % 1500);
                assert!(buffer[..len].iter().all(|&b| b == next as u8), "record {next} is whole");
                next += 1;
            }
        });
        for i in 0..count {
            let bytes = vec![i as u8; i as usize % 1500];
            while sender.push(&head(), &bytes).is_err() {
                std::thread::yield_now();
            }
        }
        reader.join().unwrap();
    }

    fn head() -> Head {
        let address = "127.0.0.1:9".parse().unwrap();
        Head { from: address, local: address, received: Duration::ZERO, segment_size: 5 }
    }
}
