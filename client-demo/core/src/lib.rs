//! A native participant as a state machine: joins a room over the wire messages, publishes Opus and VP8 frames, receives
//! everybody in slots, and says what arrived.
//!
//! ```text
//! handle_message(now, ServerMessage)   handle_datagram(now, local, from, bytes)   handle_timeout(now)
//! send_frame(now, mid, Frame)          poll_output() -> Message | Transmit | Event | Timeout(when, reason)
//! ```
//!
//! The bot, the simulator, the lab and the benches all drive this one client. It opens no socket, asks for no time, encodes and
//! decodes nothing.
//!
//! # Receiving
//!
//! Every slot has a buffer of `jitter` behind it, which repairs, asks again, adapts its delay and plays: sound every 10 ms,
//! pictures when they are due, both with the same delay since their capture. What comes out is an event at the moment at which it
//! would be heard or seen:
//!
//! - [`Event::Sound`] (with [`Config::deliver_sound`]): 10 ms of one participant's samples with media time, capture time, playout
//!   delay, target and what they were made from ([`Rungs`]). Samples need a codec: [`Config::decoders`] makes a
//!   [`Decoder`] for each slot, `voice::OpusDecoder` for one. Without it everything happens, and sounds like silence.
//! - [`Event::Frame`] (with [`Config::deliver_frames`]): an encoded frame as it goes to a decoder, with capture time and `render_at`,
//!   the moment at which it is on screen.
//! - [`Stats::received`]: per participant what was concealed, synthesised, given up, shown within 400 ms, frozen, and the buffer's
//!   percentiles.
//!
//! # Sending
//!
//! Sound given to `send_frame` leaves at once, with copies of earlier frames as the network needs them (RED) and answers to requests
//! inside. Its encoder asks [`Client::sound_advice`] before every frame, and gives the frame without deep redundancy as
//! [`Frame::copy`]. Pictures leave at the pace of the sender's estimate once their encoders follow it (`set_video_wanted`,
//! `video_budget`).
//!
//! # A whole participant with real speech
//!
//! ```text
//! let mut config = Config::new(room, name, certificate, vec![local], (now, ntp), seed);
//! config.decoders = Decoders::new(|| Box::new(voice::OpusDecoder::new(Channels::Mono, 7).unwrap()));
//! (config.deliver_sound, config.deliver_frames) = (true, true);
//! let mut client = Client::new(config, now)?;
//! loop {
//!     match client.poll_output() {                                    // until Timeout
//!         Output::Message(message) => websocket.send(message),        // in virtual time: to the room's sessions
//!         Output::Transmit(transmit) => socket.send_to(..),           // in virtual time: into a netem link
//!         Output::Event(Event::Sound(sound)) => scored.push(sound),
//!         Output::Event(Event::Frame(frame)) if frame.kind == Kind::Video => seen.push((frame.captured, frame.render_at)),
//!         Output::Event(_) => {}
//!         Output::Timeout(at, _) => wait until `at`, a datagram, a message or the next frame of the encoder,
//!     }
//!     client.handle_datagram(now, local, from, bytes);  client.handle_message(now, message);  client.handle_timeout(now);
//!     // every 20 ms:
//!     encoder.set(settings.advised(&client.sound_advice(now, microphone).unwrap()))?;
//!     client.send_frame(now, microphone, Frame { copy: Some(&copy), ..Frame::new(timestamp, &payload) })?;
//! }
//! ```
//! `tests::native` and `client_demo::own` do this in virtual time and over UDP.

mod client;
mod config;
mod decoders;
mod event;
mod lag;
mod media;
mod pairs;
mod participants;
mod publish;
mod random;
mod receive;
mod reception;
mod reports;
mod sender;
mod session;
mod sound;
mod source;
mod stats;
mod stream;
mod transport_feedback;

pub use client::{Client, SendError};
pub use config::{Config, Counters, Publish};
pub use decoders::{BoxedDecoder, Decoders};
pub use event::{Event, Output, Reason, ReceivedFrame, Sound};
pub use jitter::audio::{Decoder, Rung, Rungs, SenderAdvice};
pub use jitter::video::Via;
pub use publish::Frame;
pub use reception::{Deliver, Reception};
pub use stats::{AudioReceived, Received, SentTrack, Stats, VideoReceived};
