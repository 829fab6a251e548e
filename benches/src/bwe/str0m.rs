//! Two `str0m` peers over the scenarios' links: its own estimator, pacer, probes and feedback, driven by its own API. They
//! connect over a perfect path before the scenario begins.

use super::world::media::{FRAME, Source, frame_size};
use super::world::{Flow, Payload};
use ::str0m::bwe::{Bitrate, BweKind};
use ::str0m::format::Codec;
use ::str0m::media::{MediaKind, Mid, Pt};
use ::str0m::net::{Protocol, Receive};
use ::str0m::rtp::{RtpWrite, Ssrc};
use ::str0m::{Candidate, Event, Input, Output, Rtc};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub struct Str0m {
    sender: End,
    receiver: End,
    ssrc: Ssrc,
    pt: Pt,
    estimate: u64,
    source: Source,
    random: netem::Random,
    next_frame: Instant,
    frame: u32,
    seq: u64,
    layer: usize,
    missing: BTreeMap<u32, u16>,
    complete: Vec<Instant>,
}

struct End {
    rtc: Rtc,
    home: SocketAddr,
    next: Instant,
    out: VecDeque<Vec<u8>>,
}

/// Its headers, extensions and tag make 1200 of it.
const PACKET_MAX: usize = 1140;
const START_BPS: u64 = 300_000;

impl Str0m {
    pub fn new(now: Instant, seed: u64, source: Source) -> Result<Self, String> {
        let begin = now.checked_sub(Duration::from_secs(5)).ok_or("the machine was started seconds ago")?;
        let rtp = || Rtc::builder().set_rtp_mode(true);
        let start = Bitrate::bps(START_BPS);
        let mut a = End::new(rtp().enable_bwe(Some(start)).build(begin), "1.1.1.1:1000", begin)?;
        let mut b = End::new(rtp().build(begin), "2.2.2.2:2000", begin)?;
        meet(&mut a, &mut b)?;
        meet(&mut b, &mut a)?;
        a.rtc.direct_api().set_ice_controlling(true);
        b.rtc.direct_api().set_ice_controlling(false);
        a.rtc.direct_api().start_dtls(true).map_err(|e| e.to_string())?;
        b.rtc.direct_api().start_dtls(false).map_err(|e| e.to_string())?;

        let mut at = begin;
        while at < now {
            for (end, other) in [(&mut a, &mut b)] {
                end.wake(at);
                other.wake(at);
                end.drain(at, |_| {});
                other.drain(at, |_| {});
                while let Some(bytes) = end.out.pop_front() {
                    other.receive(at, end.home, &bytes);
                }
                while let Some(bytes) = other.out.pop_front() {
                    end.receive(at, other.home, &bytes);
                }
            }
            at += Duration::from_millis(1);
        }
        if !a.rtc.is_connected() || !b.rtc.is_connected() {
            return Err("two str0m peers did not connect over a perfect path".into());
        }

        let mid: Mid = "vid".into();
        let (ssrc, rtx): (Ssrc, Ssrc) = (42.into(), 44.into());
        a.rtc.direct_api().declare_media(mid, MediaKind::Video);
        a.rtc.direct_api().declare_stream_tx(ssrc, Some(rtx), mid, None);
        b.rtc.direct_api().declare_media(mid, MediaKind::Video);
        b.rtc.direct_api().expect_stream_rx(ssrc, Some(rtx), mid, None);
        b.rtc.direct_api().enable_twcc_feedback();
        let pt = a.rtc.codec_config().find(|p| p.spec().codec == Codec::Vp8).ok_or("no VP8")?.pt();
        a.rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::bps(source.wanted()));
        Ok(Self {
            sender: a,
            receiver: b,
            ssrc,
            pt,
            estimate: START_BPS,
            source,
            random: netem::Random::for_purpose(seed, 77),
            next_frame: now,
            frame: 0,
            seq: 65_000,
            layer: 0,
            missing: BTreeMap::new(),
            complete: Vec::new(),
        })
    }

    fn encode(&mut self, now: Instant) {
        let (rate, layer) = self.source.choose(self.estimate);
        self.layer = layer;
        let size = frame_size(rate, self.frame, &mut self.random);
        let count = size.div_ceil(PACKET_MAX);
        let mut api = self.sender.rtc.direct_api();
        let Some(stream) = api.stream_tx(&self.ssrc) else { return };
        for i in 0..count {
            let mut payload = vec![0; (size / count).max(6)];
            payload[..4].copy_from_slice(&self.frame.to_be_bytes());
            payload[4..6].copy_from_slice(&(count as u16).to_be_bytes());
            let time = self.frame.wrapping_mul(3000);
            // No retransmission, as in the other flows: they would take their part of the link.
            let write = RtpWrite::new(self.pt, self.seq.into(), time, now, payload);
            stream.write_rtp(write.marker(i + 1 == count).nackable(false));
            self.seq += 1;
        }
        self.frame += 1;
    }

    fn drain(&mut self, now: Instant) {
        let estimate = &mut self.estimate;
        self.sender.drain(now, |event| {
            if let Event::EgressBitrateEstimate(BweKind::Twcc { estimate: new, .. }) = event {
                *estimate = new.as_u64();
            }
        });
        let (missing, complete) = (&mut self.missing, &mut self.complete);
        self.receiver.drain(now, |event| {
            let Event::RtpPacket(packet) = event else { return };
            let Some((head, rest)) = packet.payload.split_first_chunk::<4>() else { return };
            let Some((count, _)) = rest.split_first_chunk::<2>() else { return };
            let left = missing.entry(u32::from_be_bytes(*head)).or_insert(u16::from_be_bytes(*count));
            *left = left.saturating_sub(1);
            if *left == 0 {
                complete.push(now);
            }
            while missing.len() > 100 {
                missing.pop_first();
            }
        });
    }
}

fn meet(one: &mut End, other: &mut End) -> Result<(), String> {
    let candidate = Candidate::host(other.home, "udp").map_err(|e| e.to_string())?;
    one.rtc.add_remote_candidate(candidate);
    let fingerprint = other.rtc.direct_api().local_dtls_fingerprint().clone();
    one.rtc.direct_api().set_remote_fingerprint(fingerprint);
    let credentials = other.rtc.direct_api().local_ice_credentials();
    one.rtc.direct_api().set_remote_ice_credentials(credentials);
    Ok(())
}

impl End {
    fn new(mut rtc: Rtc, home: &str, now: Instant) -> Result<Self, String> {
        let home: SocketAddr = home.parse().map_err(|_| "an address")?;
        rtc.add_local_candidate(Candidate::host(home, "udp").map_err(|e| e.to_string())?);
        Ok(Self { rtc, home, next: now, out: VecDeque::new() })
    }

    fn wake(&mut self, now: Instant) {
        if self.next <= now {
            let _ = self.rtc.handle_input(Input::Timeout(now));
        }
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Ok(contents) = bytes.try_into() else { return };
        let receive = Receive { proto: Protocol::Udp, source: from, destination: self.home, contents };
        let _ = self.rtc.handle_input(Input::Receive(now, receive));
    }

    fn drain(&mut self, now: Instant, mut see: impl FnMut(Event)) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(next)) => {
                    self.next = next.max(now);
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.out.push_back(transmit.contents.to_vec()),
                Ok(Output::Event(event)) => see(event),
                Err(_) => {
                    self.next = now + Duration::from_secs(3600);
                    return;
                }
            }
        }
    }
}

impl Flow for Str0m {
    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.next_frame {
            self.next_frame += FRAME;
            self.encode(now);
            // What was written is seen by the pacer at its next timeout.
            self.sender.next = now;
        }
        self.sender.wake(now);
        self.receiver.wake(now);
        self.drain(now);
    }
    fn next(&self) -> Option<Instant> {
        Some(self.next_frame.min(self.sender.next).min(self.receiver.next))
    }
    fn poll_forward(&mut self, _: Instant) -> Option<(usize, Payload)> {
        self.sender.out.pop_front().map(|bytes| (bytes.len(), Payload::Bytes(bytes)))
    }
    fn poll_back(&mut self, _: Instant) -> Option<(usize, Payload)> {
        self.receiver.out.pop_front().map(|bytes| (bytes.len(), Payload::Bytes(bytes)))
    }
    fn on_forward(&mut self, now: Instant, payload: Payload) {
        if let Payload::Bytes(bytes) = payload {
            let from = self.sender.home;
            self.receiver.receive(now, from, &bytes);
            self.drain(now);
        }
    }
    fn on_back(&mut self, now: Instant, payload: Payload) {
        if let Payload::Bytes(bytes) = payload {
            let from = self.receiver.home;
            self.sender.receive(now, from, &bytes);
            self.drain(now);
        }
    }
    fn estimate(&self) -> Option<u64> {
        Some(self.estimate)
    }
    fn layer(&self) -> usize {
        self.layer
    }
    fn frames(&self) -> &[Instant] {
        &self.complete
    }
    fn explain(&self) -> String {
        format!("str0m {} kb/s", self.estimate / 1000)
    }
}
