//! Participants without a WebSocket: WHIP (RFC 9725) publishes, WHEP (draft-ietf-wish-whep) plays. One offer, one answer, one
//! resource that is patched and deleted; everything behind it is the same as for everybody else.

use std::net::IpAddr;
use std::time::Instant;

use packet::media::MediaKind;
use packet::{Mid, PeerId};
use sdp::{Direction, Fragment};
use sfu_core::Command;
use transport::Remote;
use wire::ErrorCode;

use super::join::Newcomer;
use super::request::{Cause, Reply, RequestError};
use super::{Output, Refused, Sessions};

/// What a resource is made from.
#[derive(Clone, PartialEq, Debug)]
pub struct Media {
    /// Joins are counted by it.
    pub address: IpAddr,
    pub room: String,
    /// What others read, where the token does not say it.
    pub name: Option<String>,
    pub role: Role,
    /// SDP.
    pub offer: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// WHIP: sends one microphone and one camera.
    Publish,
    /// WHEP: receives whoever is in the room, one in each pair of audio and video m-lines.
    Play,
}

/// What a client was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaResource {
    /// A secret: whoever knows it may patch and delete.
    pub id: String,
    /// SDP.
    pub answer: String,
    /// Names the ICE session (RFC 9725 section 4.3.1).
    pub etag: String,
}

impl Sessions {
    /// With a participant's token, as `join` wants it.
    pub(super) fn open_media(
        &mut self,
        now: Instant,
        token: Option<&str>,
        media: Media,
    ) -> Result<Reply, RequestError> {
        if self.is_shutting_down {
            return Err(Refused::new(ErrorCode::ShuttingDown, "the server is going down").into());
        }
        if !self.joins.take(now, media.address) {
            let message = "too many joins from your network: wait some seconds";
            return Err(Refused::new(ErrorCode::TooManyJoins, message).into());
        }
        let bearer = self.bearer(now, &media.room, token)?;
        let offer = sdp::Offer::parse(&media.offer).map_err(Refused::from)?;
        let (tracks, slots) = match media.role {
            Role::Publish => (published(&offer)?, Vec::new()),
            Role::Play => (Vec::new(), played(&offer)?),
        };
        let mut grants = bearer.grants;
        match media.role {
            Role::Publish => grants.subscribe = false,
            Role::Play if !grants.subscribe => {
                return Err(Refused::new(ErrorCode::NotAllowed, "this token lets nobody see and hear").into());
            }
            Role::Play => grants.publish = rooms::Sources::NONE,
        }
        if tracks.iter().any(|track| !grants.may_publish(track.source)) {
            return Err(Refused::new(
                ErrorCode::NotAllowed,
                "this token does not let its bearer publish this",
            )
            .into());
        }
        let name = bearer.name.or(media.name).or(bearer.identity.clone());
        let name =
            name.unwrap_or_else(|| if media.role == Role::Publish { "WHIP" } else { "WHEP" }.to_owned());
        let (room, identity, role, must_wait) = (media.room, bearer.identity, bearer.role, bearer.must_wait);
        let join = rooms::Join { room, name, identity, grants, role, must_wait, tracks, slots };
        if self.rooms.must_wait(&join) {
            let message = "a moderator has to let you in, and there is no way to wait for that here";
            return Err(Refused::new(ErrorCode::NotAdmitted, message).into());
        }
        let newcomer = Newcomer { connection: None, jti: bearer.jti, id: None };
        let (entered, answer) = self.enter(join, &offer, newcomer)?;
        let etag = self.etag(entered.peer);
        self.drain_rooms();
        self.open_history(entered.room);
        Ok(Reply::Media(MediaResource { id: entered.token, answer, etag }))
    }

    /// Trickled candidates, which we do not need, or an ICE restart. `condition`: the request's `If-Match`.
    pub(super) fn patch_media(
        &mut self,
        id: &str,
        condition: Option<&str>,
        fragment: &str,
    ) -> Result<Reply, RequestError> {
        let peer_id = self.media_peer(id)?;
        let condition = condition.ok_or_else(|| {
            RequestError::new(
                Cause::NoCondition,
                "the ETag of the session is needed in If-Match, or `*` for an ICE restart",
            )
        })?;
        let fragment = Fragment::parse(fragment).map_err(Refused::from)?;
        if condition != "*" && condition != self.etag(peer_id) {
            return Err(RequestError::new(
                Cause::ConditionFailed,
                "this is not the ETag of the ICE session that goes on",
            ));
        }
        let Some(peer) = self.peers.get_mut(&peer_id) else { return Err(unknown()) };
        let Some(ice) = fragment.ice.filter(|ice| *ice != peer.remote) else { return Ok(Reply::Done) };
        let local = self.secret.credentials(peer.worker);
        peer.local = local.clone();
        peer.remote = ice.clone();
        let remote = Remote { ice, fingerprint: peer.fingerprint, setup: peer.setup, candidates: Vec::new() };
        let (media, worker) = (peer.media.clone(), peer.worker);
        let first =
            media.tracks.iter().map(|t| (t.mid, t.kind)).chain(media.slots.iter().map(|s| (s.mid, s.kind)));
        let first = first.min_by_key(|(mid, _)| mid.as_str().to_owned());
        let candidates = self.config.workers.get(worker).map(Vec::as_slice).unwrap_or_default();
        let body = first.map(|first| sdp::make_fragment(&local, first, candidates)).unwrap_or_default();
        let command = Command::UpdatePeer { peer: peer_id, media, restart: Some((local, remote)) };
        self.outputs.push_back(Output::Media { worker, command });
        Ok(Reply::Restarted { fragment: body, etag: self.etag(peer_id) })
    }

    pub(super) fn close_media(&mut self, id: &str) -> Result<Reply, RequestError> {
        let peer = self.media_peer(id)?;
        self.leave(peer);
        Ok(Reply::Done)
    }

    /// Sessions of the WebSocket are not to be had here.
    fn media_peer(&self, id: &str) -> Result<PeerId, RequestError> {
        self.media_sessions.get(id).copied().ok_or_else(unknown)
    }

    fn etag(&self, peer: PeerId) -> String {
        let ufrag = self.peers.get(&peer).map(|peer| peer.local.ufrag.as_str()).unwrap_or_default();
        format!("\"{ufrag}\"")
    }
}

fn unknown() -> RequestError {
    RequestError::new(Cause::UnknownMedia, "there is no such session, or it is over")
}

/// One of each kind, as RFC 9725 section 4.4 has it.
fn published(offer: &sdp::Offer) -> Result<Vec<rooms::Track>, Refused> {
    let sends = |direction| matches!(direction, Direction::SendOnly | Direction::SendRecv);
    let mut tracks: Vec<rooms::Track> = Vec::new();
    for media in offer.media().filter(|media| sends(media.direction)) {
        let source = match media.kind {
            MediaKind::Audio => rooms::Source::Microphone,
            MediaKind::Video => rooms::Source::Camera,
        };
        if tracks.iter().any(|track| track.source == source) {
            return Err(Refused::new(ErrorCode::BadTracks, "offer one audio and one video m-line at most"));
        }
        tracks.push(rooms::Track { mid: media.mid, source, muted: false, active: true, encrypted: false });
    }
    match tracks.is_empty() {
        true => Err(Refused::new(ErrorCode::BadTracks, "the offer has no m-line that sends")),
        false => Ok(tracks),
    }
}

/// The first audio with the first video, and so on.
fn played(offer: &sdp::Offer) -> Result<Vec<rooms::SlotPair>, Refused> {
    let of = |kind| -> Vec<Mid> {
        let receives =
            |media: &sdp::OfferedMedia| media.kind == kind && media.direction == Direction::RecvOnly;
        offer.media().filter(receives).map(|media| media.mid).collect()
    };
    let (audio, video) = (of(MediaKind::Audio), of(MediaKind::Video));
    let pairs: Vec<_> =
        audio.into_iter().zip(video).map(|(audio, video)| rooms::SlotPair { audio, video }).collect();
    match pairs.is_empty() {
        true => {
            Err(Refused::new(ErrorCode::BadTracks, "offer an audio and a video m-line that are recvonly"))
        }
        false => Ok(pairs),
    }
}
