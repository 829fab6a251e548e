//! Between the wire's words and the cores'. The only place that knows both.

use std::collections::BTreeMap;

use packet::media::{MediaKind, PeerMedia};
use packet::{Mid, PeerId};
use sfu_core::allocation;
use wire::ErrorCode;

use super::Refused;
use super::connection::Peer;

/// Ids on the wire by peer.
pub(super) fn id_of(peers: &BTreeMap<PeerId, Peer>, peer: PeerId) -> Option<String> {
    peers.get(&peer).map(|p| p.id.clone())
}

fn mid(text: &str) -> Result<Mid, Refused> {
    let refused = || {
        let shown: String = text.chars().take(16).filter(|c| !c.is_control()).collect();
        Refused::new(ErrorCode::BadTracks, format!("`{shown}` is no name of an m-line"))
    };
    Mid::new(text).ok_or_else(refused)
}

fn kind_to_core(kind: wire::Kind) -> MediaKind {
    match kind {
        wire::Kind::Audio => MediaKind::Audio,
        wire::Kind::Video => MediaKind::Video,
    }
}

fn source_to_core(source: wire::Source) -> rooms::Source {
    match source {
        wire::Source::Microphone => rooms::Source::Microphone,
        wire::Source::Camera => rooms::Source::Camera,
        wire::Source::Screen => rooms::Source::Screen,
        wire::Source::ScreenAudio => rooms::Source::ScreenAudio,
    }
}

/// The track, if its kind fits its source.
pub(super) fn track_to_core(track: &wire::TrackInfo) -> Result<rooms::Track, Refused> {
    let source = source_to_core(track.source);
    let mid = mid(&track.mid)?;
    if kind_to_core(track.kind) != source.kind() {
        let message = format!("the track {mid} has a kind that its source cannot have");
        return Err(Refused::new(ErrorCode::BadTracks, message));
    }
    Ok(rooms::Track { mid, source, muted: track.muted, active: track.active, encrypted: track.encrypted })
}

pub(super) fn tracks_to_core(tracks: &[wire::TrackInfo]) -> Result<Vec<rooms::Track>, Refused> {
    tracks.iter().map(track_to_core).collect()
}

pub(super) fn slots_to_core(slots: &[wire::SlotPair]) -> Result<Vec<rooms::SlotPair>, Refused> {
    let pair = |s: &wire::SlotPair| Ok(rooms::SlotPair { audio: mid(&s.audio)?, video: mid(&s.video)? });
    slots.iter().map(pair).collect()
}

/// Every track must be an m-line that was accepted to receive on, every slot one to send on.
pub(super) fn check_against_media(
    media: &PeerMedia,
    tracks: &[rooms::Track],
    slots: &[rooms::SlotPair],
) -> Result<(), Refused> {
    for track in tracks {
        let fits = |t: &packet::media::SendTrack| t.mid == track.mid && t.kind == track.source.kind();
        if !media.tracks.iter().any(fits) {
            let message = format!("the offer has no m-line {} that sends this kind of media", track.mid);
            return Err(Refused::new(ErrorCode::BadTracks, message));
        }
    }
    for pair in slots {
        for (mid, kind) in [(pair.audio, MediaKind::Audio), (pair.video, MediaKind::Video)] {
            if !media.slots.iter().any(|s| s.mid == mid && s.kind == kind) {
                let message = format!("the offer has no m-line {mid} that receives this kind of media");
                return Err(Refused::new(ErrorCode::BadTracks, message));
            }
        }
    }
    Ok(())
}

fn source_to_wire(source: rooms::Source) -> (wire::Kind, wire::Source) {
    match source {
        rooms::Source::Microphone => (wire::Kind::Audio, wire::Source::Microphone),
        rooms::Source::Camera => (wire::Kind::Video, wire::Source::Camera),
        rooms::Source::Screen => (wire::Kind::Video, wire::Source::Screen),
        rooms::Source::ScreenAudio => (wire::Kind::Audio, wire::Source::ScreenAudio),
    }
}

pub(super) fn grants_to_wire(grants: &rooms::Grants) -> wire::Grants {
    let &rooms::Grants { publish, subscribe, data, moderate, hidden, record } = grants;
    let publish = sources_to_wire(publish);
    wire::Grants { publish, subscribe, data, moderate, hidden, record }
}

pub(super) fn role_to_wire(role: rooms::Role) -> wire::Role {
    match role {
        rooms::Role::Teacher => wire::Role::Teacher,
        rooms::Role::Assistant => wire::Role::Assistant,
        rooms::Role::Student => wire::Role::Student,
        rooms::Role::Audience => wire::Role::Audience,
    }
}

pub(super) fn role_to_core(role: wire::Role) -> rooms::Role {
    match role {
        wire::Role::Teacher => rooms::Role::Teacher,
        wire::Role::Assistant => rooms::Role::Assistant,
        wire::Role::Student => rooms::Role::Student,
        wire::Role::Audience => rooms::Role::Audience,
    }
}

pub(super) fn attribute_to_wire(attribute: rooms::Attribute) -> wire::Attribute {
    let rooms::Attribute { key, text: value, version } = attribute;
    wire::Attribute { key, value, version }
}

pub(super) fn attributes_to_wire(attributes: Vec<rooms::Attribute>) -> Vec<wire::Attribute> {
    attributes.into_iter().map(attribute_to_wire).collect()
}

pub(super) fn sources_to_wire(sources: rooms::Sources) -> Vec<wire::Source> {
    sources.iter().map(|source| source_to_wire(source).1).collect()
}

pub(super) fn sources_to_core(sources: &[wire::Source]) -> rooms::Sources {
    sources.iter().map(|source| source_to_core(*source)).collect()
}

pub(super) fn grants_to_core(grants: &wire::Grants) -> rooms::Grants {
    let &wire::Grants { subscribe, data, moderate, hidden, record, .. } = grants;
    let publish = sources_to_core(&grants.publish);
    rooms::Grants { publish, subscribe, data, moderate, hidden, record }
}

pub(super) fn track_to_wire(track: &rooms::Track) -> wire::TrackInfo {
    let (kind, source) = source_to_wire(track.source);
    let &rooms::Track { mid, muted, active, encrypted, .. } = track;
    wire::TrackInfo { mid: mid.to_string(), kind, source, muted, active, encrypted }
}

pub(super) fn tracks_to_wire(tracks: &[rooms::Track]) -> Vec<wire::TrackInfo> {
    tracks.iter().map(track_to_wire).collect()
}

/// Bindings to participants that have just gone are left out.
pub(super) fn bindings_to_wire(
    peers: &BTreeMap<PeerId, Peer>,
    bindings: impl IntoIterator<Item = rooms::Binding>,
) -> Vec<wire::Binding> {
    let share = |share| match share {
        rooms::Share::Person => wire::Share::Person,
        rooms::Share::Screen => wire::Share::Screen,
    };
    let binding = |b: rooms::Binding| wire::Binding {
        slot: wire::SlotPair { audio: b.slot.audio.to_string(), video: b.slot.video.to_string() },
        participant: b.peer.and_then(|peer| id_of(peers, peer)),
        share: share(b.share),
    };
    bindings.into_iter().map(binding).collect()
}

pub(super) fn preferences_to_core(
    slots: &[wire::Preference],
) -> Result<Vec<(Mid, allocation::Preference)>, Refused> {
    if slots.len() > wire::limits::PREFERENCES_MAX {
        let message = format!("more than {} slots", wire::limits::PREFERENCES_MAX);
        return Err(Refused::new(ErrorCode::BadTracks, message));
    }
    let preference = |p: &wire::Preference| {
        let &wire::Preference { width, height, visible, pinned, priority, .. } = p;
        Ok((mid(&p.mid)?, allocation::Preference { width, height, visible, pinned, priority }))
    };
    slots.iter().map(preference).collect()
}

pub(super) fn allocation_to_wire(report: &sfu_core::AllocationReport) -> wire::ServerMessage {
    let kbps = |rate: packet::Bitrate| u32::try_from(rate.as_kbps()).unwrap_or(u32::MAX);
    let slot = |slot: &sfu_core::SlotReport| {
        let layer = slot.choice.layer();
        let allocation::LayerId { stream, spatial, temporal } = layer.unwrap_or_default();
        wire::SlotQuality {
            mid: slot.slot.to_string(),
            encoding: layer.map(|_| stream),
            spatial,
            temporal,
            kbps: kbps(slot.rate),
            width: slot.width,
            height: slot.height,
            paused: slot.choice.pause().map(pause_to_wire),
        }
    };
    let decision = |d: &allocation::Decision| wire::Decision {
        mid: d.slot.to_string(),
        text: d.to_string(),
        from: choice_to_wire(d.change.from),
        to: choice_to_wire(d.change.to),
        why: why_to_wire(d.why),
        estimate_kbps: kbps(d.estimate),
        budget_kbps: kbps(d.budget),
        needed_kbps: kbps(d.needed),
        width: d.tile.0,
        height: d.tile.1,
    };
    wire::ServerMessage::Quality {
        estimate_kbps: report.estimate.map(kbps),
        wanted_kbps: kbps(report.wanted),
        slots: report.slots.iter().map(slot).collect(),
        decisions: report.decisions.iter().map(decision).collect(),
    }
}

fn choice_to_wire(choice: allocation::Choice) -> wire::Change {
    match choice {
        allocation::Choice::Nothing => wire::Change::Nothing,
        allocation::Choice::Send(allocation::LayerId { stream, spatial, temporal }) => {
            wire::Change::Layer { encoding: stream, spatial, temporal }
        }
        allocation::Choice::Paused(reason) => wire::Change::Paused(pause_to_wire(reason)),
    }
}

fn why_to_wire(why: allocation::Why) -> wire::Reason {
    use allocation::Why as W;
    match why {
        W::Began => wire::Reason::Began,
        W::Room => wire::Reason::Room,
        W::Congestion => wire::Reason::Congestion,
        W::Asked => wire::Reason::Asked,
        W::TileSize => wire::Reason::TileSize,
        W::Others => wire::Reason::Others,
        W::LayerGone => wire::Reason::LayerGone,
        W::Contradiction => wire::Reason::Contradiction,
        W::Limit => wire::Reason::Limit,
        W::Loudness => wire::Reason::Loudness,
    }
}

fn pause_to_wire(reason: allocation::PauseReason) -> wire::PauseReason {
    match reason {
        allocation::PauseReason::Hidden => wire::PauseReason::Hidden,
        allocation::PauseReason::Bandwidth => wire::PauseReason::Bandwidth,
        allocation::PauseReason::LastN => wire::PauseReason::LastN,
        allocation::PauseReason::Quiet => wire::PauseReason::Quiet,
    }
}

impl From<rooms::JoinError> for Refused {
    fn from(error: rooms::JoinError) -> Self {
        use rooms::JoinError as E;
        let code = match error {
            E::Twice => ErrorCode::WrongState,
            E::BadRoom(_) => ErrorCode::BadRoom,
            E::BadName(_) => ErrorCode::BadName,
            E::Locked => ErrorCode::RoomLocked,
            E::RoomFull(_) | E::TooManyWait(_) => ErrorCode::RoomFull,
            E::TooManyRooms(_) => ErrorCode::TooManyRooms,
            E::Tracks(_) | E::Slots(_) => ErrorCode::BadTracks,
        };
        Self::new(code, error)
    }
}

impl From<rooms::UpdateError> for Refused {
    fn from(error: rooms::UpdateError) -> Self {
        let code = match error {
            rooms::UpdateError::NotJoined => ErrorCode::WrongState,
            rooms::UpdateError::Tracks(_) | rooms::UpdateError::Slots(_) => ErrorCode::BadTracks,
        };
        Self::new(code, error)
    }
}

impl From<rooms::TrackError> for Refused {
    fn from(error: rooms::TrackError) -> Self {
        let code = match error {
            rooms::TrackError::NotJoined => ErrorCode::WrongState,
            rooms::TrackError::NotGranted(_) => ErrorCode::NotAllowed,
            rooms::TrackError::Unknown(_) | rooms::TrackError::Tracks(_) => ErrorCode::BadTracks,
        };
        Self::new(code, error)
    }
}

impl From<sdp::Error> for Refused {
    fn from(error: sdp::Error) -> Self {
        Self::new(ErrorCode::BadSdp, format!("the offer cannot be used: {error}"))
    }
}
