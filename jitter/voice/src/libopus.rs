//! The calls into libopus: each `unsafe` of this crate, with the reason why it is sound.
//!
//! Three rules hold everywhere. A pointer is made by the library, checked once and freed once, by the type that owns it. A buffer
//! goes over with its real length, so the library is asked to bound itself and does. A state belongs to one thread at a time, and
//! libopus shares nothing between states, which is what makes the types `Send` and not `Sync`.
//!
//! The address sanitizer runs over these calls, the C code included: `cargo xtask test --only sanitizer`.

use opusic_sys as sys;
use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};
use thiserror::Error;

/// What libopus said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("libopus: {0}")]
pub struct Error(&'static str);

impl Error {
    fn of(code: c_int) -> Self {
        // SAFETY: the library returns a static, zero-terminated string for every number.
        let text = unsafe { CStr::from_ptr(sys::opus_strerror(code)) };
        Self(text.to_str().unwrap_or("unknown error"))
    }
    fn check(code: c_int) -> Result<usize, Self> {
        usize::try_from(code).map_err(|_| Self::of(code))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channels {
    Mono = 1,
    Stereo = 2,
}

impl Channels {
    pub fn count(self) -> usize {
        self as usize
    }
    /// Samples per channel in an interleaved buffer, as the library wants it.
    fn frame(self, interleaved: usize) -> Result<c_int, Error> {
        c_int::try_from(interleaved / self.count()).map_err(|_| Error("a buffer of 2 GiB"))
    }
}

/// A decoder at 48 kHz.
pub struct Decoder {
    state: NonNull<sys::OpusDecoder>,
    channels: Channels,
}

// SAFETY: see the module's third rule.
unsafe impl Send for Decoder {}

impl Decoder {
    pub fn new(channels: Channels) -> Result<Self, Error> {
        let mut code = 0;
        // SAFETY: any numbers may be passed; `code` lives through the call.
        let state =
            unsafe { sys::opus_decoder_create(super::SAMPLE_RATE as i32, channels as c_int, &mut code) };
        NonNull::new(state).map(|state| Self { state, channels }).ok_or_else(|| Error::of(code))
    }

    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// 0 to 10; 5 and more: neural concealment, 6 and 7: neural enhancement of speech (LACE, NoLACE).
    pub fn set_complexity(&mut self, complexity: u8) -> Result<(), Error> {
        let value = c_int::from(complexity);
        // SAFETY: this request takes one int.
        Error::check(unsafe {
            sys::opus_decoder_ctl(self.state.as_ptr(), sys::OPUS_SET_COMPLEXITY_REQUEST, value)
        })
        .map(drop)
    }

    /// As if it had decoded nothing yet; the complexity stays.
    pub fn reset(&mut self) {
        // SAFETY: this request takes no argument, and every state can be reset.
        unsafe { sys::opus_decoder_ctl(self.state.as_ptr(), sys::OPUS_RESET_STATE) };
    }

    /// Decodes into `out` (interleaved) and returns samples per channel. Without a payload `out` is filled with concealment, and
    /// its length has to be a multiple of 2.5 ms.
    pub fn decode(&mut self, payload: Option<&[u8]>, out: &mut [f32]) -> Result<usize, Error> {
        self.call(payload, out, 0)
    }

    /// Fills `out` with the end of what came before `following`: its in-band FEC, concealment in front of it.
    pub fn decode_fec(&mut self, following: &[u8], out: &mut [f32]) -> Result<usize, Error> {
        self.call(Some(following), out, 1)
    }

    fn call(&mut self, payload: Option<&[u8]>, out: &mut [f32], fec: c_int) -> Result<usize, Error> {
        let frame = self.channels.frame(out.len())?;
        let (data, len) = match payload {
            Some(payload) => (payload.as_ptr(), length(payload)?),
            None => (ptr::null(), 0),
        };
        // SAFETY: `data` holds `len` bytes or is null with length zero; `out` holds `frame` samples for each channel, and the
        // library refuses a packet that is longer.
        Error::check(unsafe {
            sys::opus_decode_float(self.state.as_ptr(), data, len, out.as_mut_ptr(), frame, fec)
        })
    }

    /// Fills `out` with sound that starts `offset` samples before the packet from which `redundancy` was parsed.
    pub fn decode_deep(
        &mut self,
        redundancy: &Redundancy,
        offset: i32,
        out: &mut [f32],
    ) -> Result<usize, Error> {
        if redundancy.parsed.is_none() {
            return Err(Error("no deep redundancy was parsed"));
        }
        let frame = self.channels.frame(out.len())?;
        // SAFETY: `parsed` says that the library has written `dred` and unpacked it; `out` as in `call`. The offset may be any
        // number: features outside of what was parsed are predicted.
        Error::check(unsafe {
            let dred = redundancy.dred.as_ptr();
            sys::opus_decoder_dred_decode_float(self.state.as_ptr(), dred, offset, out.as_mut_ptr(), frame)
        })
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by `opus_decoder_create`, and nobody else has it.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

/// How far back deep redundancy goes, in samples at 48 kHz before the start of its packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach {
    /// The oldest sample that it describes.
    pub oldest: usize,
    /// The newest one: what lies between it and the packet was not coded (silence).
    pub newest: usize,
}

/// The deep redundancy (DRED) of one packet.
pub struct Redundancy {
    parser: NonNull<sys::OpusDREDDecoder>,
    dred: NonNull<sys::OpusDRED>,
    /// Some: `dred` holds the features of a packet.
    parsed: Option<Reach>,
}

// SAFETY: see the module's third rule.
unsafe impl Send for Redundancy {}

impl Redundancy {
    pub fn new() -> Result<Self, Error> {
        let mut code = 0;
        // SAFETY: `code` lives through the calls.
        let parser = NonNull::new(unsafe { sys::opus_dred_decoder_create(&mut code) });
        let parser = parser.ok_or_else(|| Error::of(code))?;
        // SAFETY: as above.
        match NonNull::new(unsafe { sys::opus_dred_alloc(&mut code) }) {
            Some(dred) => Ok(Self { parser, dred, parsed: None }),
            None => {
                // SAFETY: made above, and nobody else has it.
                unsafe { sys::opus_dred_decoder_destroy(parser.as_ptr()) };
                Err(Error::of(code))
            }
        }
    }

    /// Reads what `packet` carries, unpacking no more than `reach_max` samples of it. None: it carries nothing, or not of our
    /// version.
    pub fn parse(&mut self, packet: &[u8], reach_max: usize) -> Option<Reach> {
        self.parsed = self.read(packet, reach_max, 0);
        self.parsed
    }

    /// How far back `packet` goes, at a tenth of the cost; what was parsed before is gone.
    pub fn measure(&mut self, packet: &[u8], reach_max: usize) -> Option<Reach> {
        self.parsed = None;
        self.read(packet, reach_max, 1)
    }

    fn read(&mut self, packet: &[u8], reach_max: usize, deferred: c_int) -> Option<Reach> {
        if packet.is_empty() {
            return None;
        }
        let (len, rate) = (length(packet).ok()?, super::SAMPLE_RATE as i32);
        // The library computes with 100 times this number.
        let samples = reach_max.min(super::SAMPLE_RATE as usize * 2) as i32;
        let mut newest = 0;
        // SAFETY: `packet` holds `len` bytes, at least one; the library bounds what it writes to `dred` by its own size.
        let oldest = unsafe {
            let (parser, dred) = (self.parser.as_ptr(), self.dred.as_ptr());
            sys::opus_dred_parse(parser, dred, packet.as_ptr(), len, samples, rate, &mut newest, deferred)
        };
        let oldest = usize::try_from(oldest).ok().filter(|&oldest| oldest > 0)?;
        Some(Reach { oldest, newest: usize::try_from(newest).unwrap_or(0) })
    }
}

impl Drop for Redundancy {
    fn drop(&mut self) {
        // SAFETY: both made by the library in `new`, and nobody else has them.
        unsafe {
            sys::opus_dred_free(self.dred.as_ptr());
            sys::opus_dred_decoder_destroy(self.parser.as_ptr());
        }
    }
}

/// The packet carries the frame before it once more (SILK's low bitrate redundancy).
pub fn has_fec(packet: &[u8]) -> bool {
    let Ok(len @ 1..) = length(packet) else { return false };
    // SAFETY: `packet` holds `len` bytes, at least one.
    unsafe { sys::opus_packet_has_lbrr(packet.as_ptr(), len) == 1 }
}

/// Settings of an [`Encoder`]; each takes one number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Control {
    /// Bits per second.
    Bitrate = sys::OPUS_SET_BITRATE_REQUEST,
    /// 0 or 1.
    InbandFec = sys::OPUS_SET_INBAND_FEC_REQUEST,
    /// Percent.
    ExpectedLoss = sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST,
    /// In steps of 10 ms, at most 104.
    DeepRedundancy = sys::OPUS_SET_DRED_DURATION_REQUEST,
    /// 0 or 1.
    Dtx = sys::OPUS_SET_DTX_REQUEST,
    /// 0 to 10.
    Complexity = sys::OPUS_SET_COMPLEXITY_REQUEST,
    /// One of libopus' signal types.
    Signal = sys::OPUS_SET_SIGNAL_REQUEST,
}

/// An encoder at 48 kHz.
pub struct Encoder {
    state: NonNull<sys::OpusEncoder>,
    channels: Channels,
}

// SAFETY: see the module's third rule.
unsafe impl Send for Encoder {}

impl Encoder {
    /// `application` is one of libopus' numbers; others are refused.
    pub fn new(channels: Channels, application: c_int) -> Result<Self, Error> {
        let (rate, mut code) = (super::SAMPLE_RATE as i32, 0);
        // SAFETY: any numbers may be passed; `code` lives through the call.
        let state = unsafe { sys::opus_encoder_create(rate, channels as c_int, application, &mut code) };
        NonNull::new(state).map(|state| Self { state, channels }).ok_or_else(|| Error::of(code))
    }

    pub fn channels(&self) -> Channels {
        self.channels
    }

    pub fn set(&mut self, control: Control, value: i32) -> Result<(), Error> {
        // SAFETY: every request of `Control` takes one int.
        Error::check(unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), control as c_int, value) }).map(drop)
    }

    /// Samples per channel by which what is decoded lags behind what was encoded.
    pub fn lookahead(&mut self) -> Result<usize, Error> {
        let mut samples: c_int = 0;
        let request = sys::OPUS_GET_LOOKAHEAD_REQUEST;
        // SAFETY: this request takes a pointer to an int, which lives through the call.
        Error::check(unsafe {
            sys::opus_encoder_ctl(self.state.as_ptr(), request, &mut samples as *mut c_int)
        })?;
        Error::check(samples)
    }

    /// Encodes one packet of 2.5 to 120 ms into `out` and returns its length.
    pub fn encode(&mut self, pcm: &[f32], out: &mut [u8]) -> Result<usize, Error> {
        let frame = self.channels.frame(pcm.len())?;
        let room = c_int::try_from(out.len()).unwrap_or(c_int::MAX);
        // SAFETY: `pcm` holds `frame` samples for each channel, `out` holds `room` bytes.
        Error::check(unsafe {
            sys::opus_encode_float(self.state.as_ptr(), pcm.as_ptr(), frame, out.as_mut_ptr(), room)
        })
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: made by `opus_encoder_create`, and nobody else has it.
        unsafe { sys::opus_encoder_destroy(self.state.as_ptr()) }
    }
}

fn length(bytes: &[u8]) -> Result<i32, Error> {
    i32::try_from(bytes.len()).map_err(|_| Error("a packet of 2 GiB"))
}
