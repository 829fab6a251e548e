//! Data channels under any SCTP packets: those of a peer that has the keys, and sends what it likes.

use super::chunk;
use packet::data::{Addressed, Channel, Delivered};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use transport::sctp::{Association, Message, Step};

const PORT: u16 = 5000;
/// Steps of one input: bounds its time.
const STEPS_MAX: usize = 256;
/// Packets that one step may cause at one end, and messages that it may complete.
const OUTPUTS_MAX: usize = 2_000;
/// What may be held for a reader: the window, and a packet more.
const HELD_BYTES_MAX: usize = 160 * 1024;

struct Ends {
    now: Instant,
    server: Option<Association>,
    client: Association,
    /// What the server expects in front of a packet.
    tag: [u8; 4],
    /// What the client sends is lost.
    cut: bool,
}

/// A byte that says what happens, and what that takes: 0, a packet for the server as it is; 1, the same with the ports, the tag
/// and the checksum that it expects; 2, a message of the client; 3, time; 4, the server reads; 5, the server says something;
/// 6, the client's packets are lost from now on, or not; 7, the server closes.
pub fn data_channel(mut input: &[u8]) {
    let now = Instant::now();
    let client = Association::connect(now, PORT);
    let mut ends = Ends { now, server: None, client, tag: [0; 4], cut: false };
    ends.settle();
    assert!(ends.server.is_some(), "the client has begun");
    for _ in 0..STEPS_MAX {
        let Some((&step, rest)) = input.split_first() else { break };
        input = rest;
        let channel = Channel::ALL[usize::from(step >> 3) % 2];
        match step % 8 {
            0 | 1 => {
                let Some(bytes) = chunk(&mut input) else { break };
                let mut packet = bytes.to_vec();
                if step % 8 == 1 {
                    forge(&mut packet, ends.tag);
                }
                ends.deliver(&packet);
            }
            2 => {
                let Some(bytes) = chunk(&mut input) else { break };
                ends.client.send(ends.now, channel, bytes);
            }
            3 => ends.pass(Duration::from_millis(u64::from(step >> 3) * 50)),
            4 => ends.read(),
            5 => {
                let now = ends.now;
                ends.server.as_mut().map(|server| server.send(now, channel, &[step; 3000]));
            }
            6 => ends.cut = step & 8 != 0,
            _ => ends.server = None,
        }
        ends.settle();
    }
    ends.read();
}

impl Ends {
    /// A packet for the server, which makes an association for what asks for one.
    fn deliver(&mut self, packet: &[u8]) {
        let fresh = match &mut self.server {
            Some(_) => None,
            None => Association::accept(self.now, PORT, packet).ok(),
        };
        self.server = self.server.take().or(fresh);
        if let Some(server) = &mut self.server {
            let _ = server.handle(self.now, packet);
            assert!(server.unsent() <= 128 * 1024);
        }
    }

    /// Until neither has anything to say.
    fn settle(&mut self) {
        let mut flying = VecDeque::new();
        for _ in 0..OUTPUTS_MAX {
            while let Some(step) = self.client.poll() {
                if let Step::Send { packet, .. } = step {
                    self.tag.copy_from_slice(&packet[4..8]);
                    flying.push_back((true, packet));
                }
            }
            let mut closed = false;
            while let Some(step) = self.server.as_mut().and_then(|server| server.poll()) {
                match step {
                    Step::Send { packet, .. } => flying.push_back((false, packet)),
                    Step::Opened => {}
                    Step::Closed(_) => closed = true,
                }
            }
            if closed {
                self.server = None;
            }
            match flying.pop_front() {
                None => return,
                Some((true, packet)) if !self.cut => self.deliver(&packet),
                Some((true, _)) => {}
                Some((false, packet)) => drop(self.client.handle(self.now, &packet)),
            }
        }
        panic!("more packets than one step can cause");
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.client.handle_timeout(self.now);
        if let Some(server) = &mut self.server {
            server.handle_timeout(self.now);
        }
    }

    fn read(&mut self) {
        let mut bytes = 0;
        while let Some(Message { bytes: message, .. }) = self.server.as_mut().and_then(|s| s.next_message()) {
            bytes += message.len();
            address(&message);
        }
        assert!(bytes <= HELD_BYTES_MAX, "{bytes} bytes were held");
    }
}

/// What is in front of a payload, read and written again.
fn address(message: &[u8]) {
    if let Ok(read) = Addressed::parse(message) {
        let recipients: Vec<&[u8]> = read.recipients().collect();
        assert_eq!(Addressed::write(&recipients, read.payload).as_deref(), Ok(message));
    }
    if let Ok(read) = Delivered::parse(message) {
        assert_eq!(Delivered::write(read.sender, read.payload).as_deref(), Ok(message));
    }
}

/// Makes the server believe that the client has sent it.
fn forge(packet: &mut Vec<u8>, tag: [u8; 4]) {
    if packet.len() < 12 {
        packet.resize(12, 0);
    }
    packet[..4].copy_from_slice(&[PORT.to_be_bytes(), PORT.to_be_bytes()].concat());
    // An INIT has none.
    let is_init = packet.get(12) == Some(&1);
    packet[4..8].copy_from_slice(if is_init { &[0; 4] } else { &tag });
    packet[8..12].fill(0);
    let checksum = crc32c(packet).to_le_bytes();
    packet[8..12].copy_from_slice(&checksum);
}

/// RFC 9260 appendix A, bit by bit.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| crc >> 1 ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

/// First inputs: chunks of every kind that is understood, whole and cut, among messages and time.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let packet = |chunks: &[&[u8]]| [&[0; 12][..], &chunks.concat()].concat();
    let step = |kind: u8, bytes: &[u8]| [&[kind][..], &(bytes.len() as u16).to_be_bytes(), bytes].concat();
    let chunk = |kind: u8, flags: u8, value: &[u8]| {
        let mut chunk = vec![kind, flags, 0, 4 + value.len() as u8];
        chunk.extend_from_slice(value);
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        chunk
    };
    let data = |stream: u8, flags: u8, tsn: u8| {
        chunk(0, flags, &[0, 0, 0, tsn, 0, stream, 0, 0, 0, 0, 0, 53, 1, 2, 3])
    };
    let init = chunk(
        1,
        0,
        &[0, 0, 0, 9, 0, 1, 0, 0, 0, 16, 0, 16, 0, 0, 0, 7, 0xc0, 0, 0, 4, 0x80, 8, 0, 6, 0xc0, 0x82, 0, 0],
    );
    let sack = chunk(3, 0, &[0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 2, 0, 3, 0, 0, 0, 1]);
    let forward = chunk(192, 0, &[0, 0, 0, 9, 0, 0, 0, 3]);
    let reset = chunk(130, 0, &[0, 13, 0, 18, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0]);
    let chunks = [
        ("data_begin", data(0, 2, 1)),
        ("data_lossy", data(1, 7, 1)),
        ("data_other_stream", data(9, 3, 1)),
        ("init_again", init),
        ("sack", sack),
        ("forward_tsn", forward),
        ("reset", reset),
        ("heartbeat", chunk(4, 0, &[0, 1, 0, 8, 1, 2, 3, 4])),
        ("abort", chunk(6, 0, &[0, 12, 0, 8, b'b', b'y', b'e', 0])),
        ("shutdown", chunk(7, 0, &[0, 0, 0, 1])),
        ("error", chunk(9, 0, &[0, 6, 0, 8, 1, 0, 0, 4])),
        ("cookie_echo", chunk(10, 0, &[7; 48])),
        ("idata", chunk(64, 3, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 53, 1])),
        ("unknown", chunk(0xc7, 0, &[1, 2, 3])),
    ];
    let around =
        [step(2, &[0, b'h', b'i']), step(10, &[1, 2, b'p', b'a', b'x']), vec![3 | 4 << 3, 4, 5, 13, 4]]
            .concat();
    chunks
        .into_iter()
        .map(|(name, chunk)| {
            let forged = step(1, &packet(&[&chunk]));
            let cut = step(1, &packet(&[&chunk])[..12 + chunk.len() / 2]);
            let input = [
                &around[..],
                &forged,
                &[3 | 8 << 3],
                &cut,
                &around,
                &step(0, &packet(&[&chunk, &chunk])),
                &[14],
                &around,
                &[6, 3 | 31 << 3, 4],
            ]
            .concat();
            (format!("{name}.bin"), input)
        })
        .chain([(
            "reader_that_does_not_read.bin".to_owned(),
            [&[2, 0x40, 0][..], &vec![0; 0x4000]].concat().repeat(9),
        )])
        .collect()
}
