//! Numbers for metrics and the quality panel, collected when asked.

use super::Router;
use crate::downlink::Downlink;
use crate::{DownlinkStats, LayerStats, PeerStats, SlotStats, Stats, TrackStats};
use packet::PeerId;
use std::time::Duration;

const ACTIVE: Duration = Duration::from_secs(1);

impl Router {
    pub(super) fn collect_stats(&self) -> Stats {
        let own = self.agenda.dropped.iter().map(|(reason, n)| (reason.name(), n));
        let counts = self.agenda.transport_dropped.iter();
        let transports = transport::DropReason::ALL.iter().zip(counts).map(|(reason, n)| (reason.name(), *n));
        Stats {
            peers: self.links.iter().flatten().count(),
            connected: self.by_id.values().filter(|&&i| self.downlinks[i].session.connected).count(),
            rooms: self.rooms.len(),
            data_open: self.links.iter().flatten().filter(|link| link.transport.is_data_open()).count(),
            dropped: own.chain(transports).collect(),
            ..self.agenda.stats.clone()
        }
    }

    pub(super) fn collect_peer_stats(&self, peer: PeerId) -> Option<PeerStats> {
        let &index = self.by_id.get(&peer)?;
        let link = self.links[index].as_ref()?;
        let (uplink, downlink) = (&self.uplinks[index], &self.downlinks[index]);
        let tracks = uplink.tracks.iter().map(|track| TrackStats {
            mid: track.mid,
            kind: track.kind,
            codec: track.codec,
            subscribers: track.subscribers.len(),
            layers: (0..).zip(&track.layers).map(|(i, l)| self.layer_stats(l, track.wants.told(i))).collect(),
        });
        let slots = downlink.slots.iter().map(|slot| {
            let remote = slot.remote.unwrap_or_default();
            let rate = if slot.kind == packet::media::MediaKind::Audio { 48_000 } else { 90_000 };
            SlotStats {
                mid: slot.mid,
                kind: slot.kind,
                source: slot.bound.map(|b| (b.peer, b.mid)),
                layer: slot.current.map(|c| usize::from(c.layer)),
                sent: slot.layer(),
                choice: slot.choice,
                bitrate: slot.meter.rate(self.now),
                packets: slot.packets,
                bytes: slot.bytes,
                fraction_lost: f32::from(remote.fraction_lost) / 256.0,
                lost: i64::from(remote.total_lost),
                jitter: Duration::from_nanos(u64::from(remote.jitter) * 1_000_000_000 / rate),
                nacked: slot.nacked,
                retransmitted: slot.retransmitted,
                fec_packets: slot.fec_packets,
                fec_unaffordable: slot.fec_unaffordable,
                keyframe_requests: slot.keyframe_requests,
            }
        });
        Some(PeerStats {
            peer,
            room: link.room,
            connected: downlink.session.connected,
            age: self.now.saturating_duration_since(link.added),
            address: link.transport.remote_address(),
            rtt: downlink.session.rtt,
            bytes_in: link.bytes_in,
            bytes_out: link.bytes_out,
            uplink: uplink.feedback.stats(),
            downlink: self.downlink_stats(downlink),
            tracks: tracks.collect(),
            slots: slots.collect(),
            estimate: downlink.estimate,
            wanted: downlink.wanted,
            decisions: downlink.log.iter().copied().collect(),
        })
    }

    fn downlink_stats(&self, downlink: &Downlink) -> DownlinkStats {
        let Downlink { queue, bandwidth, .. } = downlink;
        let (estimate, stats) = (bandwidth.estimate(), bandwidth.stats());
        DownlinkStats {
            estimate: bandwidth.rate(self.now),
            source: bandwidth.source(self.now),
            loss: estimate.loss,
            inherent_loss: estimate.inherent_loss,
            loss_limit: estimate.loss_limit,
            acknowledged: estimate.acknowledged,
            usage: match estimate.usage {
                bwe::Usage::Normal => "normal",
                bwe::Usage::Over => "over",
                bwe::Usage::Under => "under",
            },
            network_queue: estimate.queue,
            pacer_queue: queue.pacer.delay(),
            repair: bandwidth.repair_rate(self.now),
            repair_max: queue.repair.budget(),
            probes: stats.probes,
            padding_bytes: bandwidth.padding_bytes,
            overuses: stats.overuses,
            loss_decreases: stats.loss_decreases,
        }
    }

    fn layer_stats(&self, layer: &crate::uplink::Layer, wanted: bool) -> LayerStats {
        LayerStats {
            rid: layer.rid,
            ssrc: layer.ssrc,
            active: !layer.is_silent(self.now, ACTIVE),
            bitrate: layer.meter.rate(self.now),
            packets: layer.packets,
            bytes: layer.bytes,
            lost: layer.reception.lost(),
            fraction_lost: layer.reception.fraction_lost(),
            jitter: layer.reception.jitter(),
            nacked: layer.nack.asked(),
            recovered: layer.recovered,
            keyframes: layer.keyframe_count,
            keyframe_requests: layer.keyframes.sent(),
            wanted,
            contradictions: layer.describer.contradictions,
        }
    }
}
