//! What one packet must cost on this machine whatever the server: authenticated encryption in place, and the kernel's send
//! call at the batch size that the server reached, to as many sockets, which somebody reads.

use anyhow::{Context, ensure};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sfu::{RECEIVE_BUFFER_LEN, Socket};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use transport::Profile;

const RTP_HEADER_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// Where batches go.
#[derive(Clone, Copy, Debug)]
pub enum To {
    /// Sockets on this machine, in turn, that somebody reads: what the server does.
    Sockets { address: IpAddr, count: usize },
    /// An address behind a device that drops everything: the transmit path alone.
    Nowhere(IpAddr),
}

/// Microseconds of CPU per packet of `packet_len` bytes (tag included), sent in batches of `segments` on average.
pub fn measure(
    profile: Profile,
    packet_len: usize,
    segments: f64,
    to: To,
    duration: Duration,
) -> anyhow::Result<f64> {
    let algorithm = match profile {
        Profile::AeadAes128Gcm => &AES_128_GCM,
        Profile::AeadAes256Gcm => &AES_256_GCM,
        other => anyhow::bail!("the limit is known for AES-GCM only, not for {}", other.name()),
    };
    ensure!(segments >= 1.0 && packet_len > RTP_HEADER_LEN + TAG_LEN, "nothing was sent");
    let key_bytes = vec![7; algorithm.key_len()];
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &key_bytes).ok().context("key")?);
    let (sockets, addresses, from) = match to {
        To::Sockets { address, count } => {
            let sockets = (0..count.max(1)).map(|_| Socket::bind(SocketAddr::new(address, 0), false));
            let sockets = sockets.collect::<std::io::Result<Vec<Socket>>>()?;
            let addresses = sockets.iter().map(Socket::bound).collect();
            (sockets, addresses, address)
        }
        To::Nowhere(address) => {
            let ports = (1..=64).map(|port| SocketAddr::new(address, 20_000 + port));
            (Vec::new(), ports.collect::<Vec<SocketAddr>>(), IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        }
    };
    let stop = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let stop = stop.clone();
        move || read_all(sockets, &stop)
    });
    let sender = Socket::bind(SocketAddr::new(from, 0), false)?;
    let mut batch = vec![0x80u8; packet_len * (segments.ceil() as usize)];
    let mut counter = 0u64;
    let mut packets = 0usize;
    let mut owed = 0.0;
    let start = Instant::now();
    let cpu_start = thread_cpu();
    while start.elapsed() < duration {
        for &to in &addresses {
            // Batches of both neighbouring sizes, so that their mean is the size asked for.
            owed += segments;
            let count = (owed as usize).clamp(1, segments.ceil() as usize);
            owed -= count as f64;
            let bytes = &mut batch[..count * packet_len];
            for packet in bytes.chunks_mut(packet_len) {
                counter += 1;
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&counter.to_le_bytes());
                let (header, body) = packet.split_at_mut(RTP_HEADER_LEN);
                let (text, tag) = body.split_at_mut(body.len() - TAG_LEN);
                let sealed = key
                    .seal_in_place_separate_tag(
                        Nonce::assume_unique_for_key(nonce),
                        Aad::from(&*header),
                        text,
                    )
                    .ok()
                    .context("encryption")?;
                tag.copy_from_slice(sealed.as_ref());
            }
            let segment_size = (count > 1).then_some(packet_len as u16);
            if sender.send(from, to, bytes, segment_size).is_ok() {
                packets += count;
            }
        }
    }
    let cpu = thread_cpu() - cpu_start;
    stop.store(true, Ordering::Relaxed);
    ensure!(reader.join().is_ok(), "the reading thread failed");
    Ok(cpu.as_secs_f64() * 1e6 / packets as f64)
}

/// Empties the sockets until told to stop, as the clients of the run do.
fn read_all(mut sockets: Vec<Socket>, stop: &AtomicBool) {
    let Ok(poll) = super::poll::Poll::new(&sockets) else { return };
    let mut buffer = vec![0; RECEIVE_BUFFER_LEN];
    let mut ready = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        poll.wait(Duration::from_millis(20), &mut ready);
        for &index in &ready {
            while sockets[index].receive(&mut buffer).is_ok() {}
        }
    }
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_batches_cost_less_per_packet() {
        let cost = |segments| {
            let duration = Duration::from_millis(200);
            let to = To::Sockets { address: Ipv4Addr::LOCALHOST.into(), count: 4 };
            measure(Profile::AeadAes128Gcm, 1200, segments, to, duration).unwrap()
        };
        let (single, batched) = (cost(1.0), cost(16.0));
        assert!(batched > 0.0 && batched < single, "{batched} of {single} us");
    }
}
