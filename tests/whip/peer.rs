//! `str0m` over a UDP socket, as an encoder or a player that speaks WHIP or WHEP.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};

pub struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    home: SocketAddr,
    pending: Option<SdpPendingOffer>,
    pub audio: Mid,
    pub video: Mid,
    pub is_connected: bool,
    /// Frames that arrived, and of which codec.
    pub heard: Vec<(Codec, Vec<u8>)>,
    pub keyframes_wanted: usize,
    began: Instant,
}

impl Peer {
    /// And its offer.
    pub fn new(direction: Direction, video: Codec) -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let home = socket.local_addr().unwrap();
        let config = Rtc::builder().clear_codecs().enable_opus(true, false);
        let config = if video == Codec::H264 { config.enable_h264(true) } else { config.enable_vp8(true) };
        let now = Instant::now();
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(home, "udp").unwrap());
        let mut changes = rtc.sdp_api();
        let audio = changes.add_media(MediaKind::Audio, direction, None, None, None);
        let video = changes.add_media(MediaKind::Video, direction, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        let (is_connected, heard, keyframes_wanted) = Default::default();
        let pending = Some(pending);
        let peer = Self {
            rtc,
            socket,
            home,
            pending,
            audio,
            video,
            is_connected,
            heard,
            keyframes_wanted,
            began: now,
        };
        (peer, offer.to_sdp_string())
    }

    pub fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).expect("an answer that str0m can read");
        let pending = self.pending.take().expect("one answer to one offer");
        self.rtc.sdp_api().accept_answer(pending, answer).expect("an answer that str0m accepts");
    }

    /// The new offer.
    pub fn restart_ice(&mut self) -> String {
        let mut changes = self.rtc.sdp_api();
        changes.ice_restart(true);
        let (offer, pending) = changes.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    pub fn send(&mut self, mid: Mid, codec: Codec, data: &[u8]) {
        let now = Instant::now();
        let clock = if codec == Codec::Opus { Frequency::FORTY_EIGHT_KHZ } else { Frequency::NINETY_KHZ };
        let ticks = now.duration_since(self.began).as_secs_f64() * f64::from(clock.get());
        let Some(writer) = self.rtc.writer(mid) else { return };
        let found =
            writer.payload_params().find(|params| params.spec().codec == codec).map(|params| params.pt());
        let pt = found.expect("the answer took the codec");
        writer.write(pt, now, MediaTime::new(ticks as u64, clock), data.to_vec()).unwrap();
    }

    /// Lets time pass until it has to send something itself.
    pub fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let mut buffer = [0; 2048];
        loop {
            let until = loop {
                match self.rtc.poll_output().unwrap() {
                    Output::Transmit(datagram) => {
                        let _ = self.socket.send_to(&datagram.contents, datagram.destination);
                    }
                    Output::Event(event) => self.see(event),
                    Output::Timeout(at) => break at.min(end),
                }
            };
            let now = Instant::now();
            if now >= end {
                return;
            }
            let wait = until.saturating_duration_since(now).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(wait)).unwrap();
            let received = self.socket.recv_from(&mut buffer);
            let now = Instant::now();
            let input = match &received {
                Ok((length, from)) => match buffer[..*length].try_into() {
                    Ok(contents) => {
                        let receive =
                            Receive { proto: Protocol::Udp, source: *from, destination: self.home, contents };
                        Input::Receive(now, receive)
                    }
                    Err(_) => continue,
                },
                Err(_) => Input::Timeout(now),
            };
            self.rtc.handle_input(input).unwrap();
        }
    }

    fn see(&mut self, event: Event) {
        match event {
            Event::Connected => self.is_connected = true,
            Event::KeyframeRequest(_) => self.keyframes_wanted += 1,
            Event::MediaData(frame) => self.heard.push((frame.params.spec().codec, frame.data.to_vec())),
            _ => {}
        }
    }
}
