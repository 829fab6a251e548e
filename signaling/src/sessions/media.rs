//! What the media plane reports, and what clients report about media.

use std::time::Instant;

use sfu_core::{CloseReason, Event};
use wire::{EncodingActive, ErrorCode, Preference, ServerMessage, Stages};

use super::{ConnectionId, Output, Refused, Sessions, translate};

impl Sessions {
    /// An event of any worker. One about a participant that has left does nothing.
    pub fn handle_media_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Publishes { peer } => self.enter_by_media(now, peer),
            // What nobody waits for is nothing that connecting took.
            Event::Connected { peer, .. } if self.held_peers.contains_key(&peer) => {}
            Event::Connected { peer, stages } => {
                // A held transport was slower than the click: what it took begins with the first check.
                let measured = match self.peers.get(&peer).is_some_and(|peer| peer.was_held) {
                    true => [
                        ("ice", None),
                        ("dtls", stages.dtls.zip(stages.ice).map(|(d, i)| d.saturating_sub(i))),
                    ],
                    false => [("ice", stages.ice), ("dtls", stages.dtls)],
                };
                for (stage, duration) in measured.into_iter().filter_map(|(stage, d)| Some((stage, d?))) {
                    self.stats.server_stages.entry(stage).or_default().record(duration);
                }
            }
            Event::Closed { peer, reason } if self.held_peers.contains_key(&peer) => {
                self.held_closed(peer, reason)
            }
            Event::Closed { peer, reason } => {
                let Some(entry) = self.peers.get_mut(&peer) else { return };
                entry.has_media = false;
                let (connection, is_nothing_else) =
                    (entry.connection, self.media_sessions.contains_key(&entry.token));
                let (label, message) = explain(reason);
                *self.stats.media_closed.entry(label).or_default() += 1;
                match (reason, connection) {
                    // Who hangs up in the media plane first is as welcome to as who says `leave` first.
                    (CloseReason::ClosedByPeer, Some(connection)) => self.close(connection, None),
                    (CloseReason::ClosedByPeer, None) => self.leave(peer),
                    (_, None) if is_nothing_else => self.leave(peer),
                    (_, Some(connection)) => self.cut(connection, ErrorCode::MediaLost, message),
                    // Waited for anyway; whoever comes back brings a new session along.
                    (_, None) => {}
                }
            }
            Event::FirstFrame { subscriber, slot, source, rtp_timestamp } => {
                // The slot may have changed hands while the event was on its way: then it is about the one before.
                let bound = self.rooms.participant(subscriber).and_then(|p| p.source(slot));
                if bound != Some(source) {
                    return;
                }
                let mid = slot.to_string();
                let Some(participant) = translate::id_of(&self.peers, source.0) else { return };
                let message = ServerMessage::FirstFrame { mid, participant, rtp_timestamp: rtp_timestamp.0 };
                self.tell(subscriber, message);
            }
            Event::Speakers { room, loudest_first } => {
                // Somebody may have left meanwhile, and who may not speak is heard by nobody.
                let speaks = |t: &rooms::Track| t.active && t.source.kind() == rooms::MediaKind::Audio;
                let is_heard = |p: &rooms::Participant| p.room() == room && p.tracks().iter().any(speaks);
                let is_here = |peer| self.rooms.participant(peer).is_some_and(is_heard);
                let speakers = loudest_first.into_iter().filter(|&peer| is_here(peer));
                let participants: Vec<_> =
                    speakers.filter_map(|peer| translate::id_of(&self.peers, peer)).collect();
                let listeners: Vec<_> = self.rooms.participants(room).map(|p| p.peer()).collect();
                for listener in listeners {
                    self.tell(listener, ServerMessage::Speakers { participants: participants.clone() });
                }
            }
            // Nobody needs to know: the path is the transport's business.
            Event::PathChanged { .. } => {}
            Event::LayersWanted { publisher, mid, streams, spatial } => {
                let active = streams.into_iter().map(|(rid, active)| EncodingActive {
                    rid: rid.map(|rid| rid.to_string()),
                    active,
                    spatial,
                });
                let message = ServerMessage::Layers { mid: mid.to_string(), active: active.collect() };
                self.tell(publisher, message);
            }
            Event::SoundLost { publisher, mid, tenths } => {
                let (mid, lost_percent) = (mid.to_string(), tenths * 10);
                self.tell(publisher, ServerMessage::SoundLost { mid, lost_percent });
            }
            Event::DataCut { peer } => self.tell(peer, ServerMessage::DataCut {}),
            Event::Allocated { subscriber, allocation } => {
                self.tell(subscriber, translate::allocation_to_wire(&allocation));
            }
        }
    }

    /// How the client shows its slots.
    pub(super) fn prefer(&mut self, connection: ConnectionId, slots: &[Preference]) -> Result<(), Refused> {
        let subscriber = self.joined(connection)?;
        let slots = translate::preferences_to_core(slots)?;
        let Some(peer) = self.peers.get(&subscriber) else { return Ok(()) };
        let command = sfu_core::Command::Prefer { subscriber, slots };
        self.outputs.push_back(Output::Media { worker: peer.worker, command });
        Ok(())
    }

    /// A client's own measurement; the first of a join counts.
    pub(super) fn stages(&mut self, connection: ConnectionId, stages: &Stages) -> Result<(), Refused> {
        let peer = self.joined(connection)?;
        let Some(peer) = self.peers.get_mut(&peer).filter(|p| !p.has_reported_stages) else { return Ok(()) };
        peer.has_reported_stages = true;
        let reported = [
            ("signaling", stages.signaling_ms),
            ("ice", stages.ice_ms),
            ("dtls", stages.dtls_ms),
            ("first_packet", stages.first_packet_ms),
            ("first_audio", stages.first_audio_ms),
            ("first_frame", stages.first_frame_ms),
        ];
        for (stage, ms) in reported.into_iter().filter_map(|(stage, ms)| Some((stage, ms?))) {
            self.stats.client_stages.entry(stage).or_default().record_ms(ms);
        }
        Ok(())
    }
}

/// Label of the counter, and words for the person.
fn explain(reason: CloseReason) -> (&'static str, &'static str) {
    match reason {
        CloseReason::ConsentExpired => {
            ("consent_expired", "nothing was heard from your network for 30 seconds")
        }
        CloseReason::ClosedByPeer => ("closed_by_peer", "your side closed the media connection"),
        CloseReason::NoSrtpProfile => (
            "no_srtp_profile",
            "this client cannot encrypt with AES-GCM; the server has to be started with --aes-cm for it",
        ),
        CloseReason::Handshake => ("handshake", "the media connection could not be secured"),
        CloseReason::NeverConnected => {
            ("never_connected", "no media connection came up: a firewall may block the server's UDP port")
        }
        CloseReason::Internal => ("internal", "the server could not set up the media connection"),
    }
}
