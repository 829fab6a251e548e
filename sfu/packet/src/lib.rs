//! Bytes in, values out: RTP views, header extensions, codec descriptors, RTCP, identifiers and units.
//!
//! Nothing here keeps state between packets, allocates per packet on the RTP path, does I/O or asks for the time.

pub mod codec;
pub mod data;
pub mod demux;
pub mod ext;
pub mod fec;
pub mod id;
pub mod media;
pub mod prefetch;
pub mod rtcp;
pub mod rtp;
pub mod unit;

pub use id::{ExtSeq, Mid, PayloadType, PeerId, Rid, RoomId, RtpTime, SeqNo, Ssrc};
pub use unit::{Bitrate, DataSize, NtpTime};
