//! Why something that arrived, or was asked for, went no further. One labelled counter each.

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A router's own reasons; the transports' are counted beside them under their own names.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum DropReason { $($(#[$doc])* $name,)* }

        impl DropReason {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// As a metric label: lower case, words joined by `_`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

drop_reasons! {
    /// Not STUN, DTLS, RTP or RTCP.
    NotOurProtocol = "not_our_protocol",
    /// STUN without a user name, or for a ufrag nobody has.
    UnknownUfrag = "unknown_ufrag",
    /// From an address that passed no check.
    UnknownAddress = "unknown_address",
    /// Decrypted, but not an RTP packet.
    MalformedRtp = "malformed_rtp",
    /// Decrypted, but not RTCP.
    MalformedRtcp = "malformed_rtcp",
    /// Neither declared nor explained by mid, rid or payload type.
    UnknownSsrc = "unknown_ssrc",
    /// The peer's limit of synchronisation sources is reached.
    TooManySsrcs = "too_many_ssrcs",
    /// Two tracks claim one SSRC; the first keeps it.
    SsrcCollision = "ssrc_collision",
    /// Not negotiated with this peer.
    UnknownPayloadType = "unknown_payload_type",
    /// Audio on a video m-line or the other way round.
    WrongKind = "wrong_kind",
    /// Sent only to measure the path: RTX or media that is all padding.
    PaddingOnly = "padding_only",
    /// RTX too short for its sequence number, or for a layer not seen yet.
    MalformedRtx = "malformed_rtx",
    /// RED whose blocks do not fit, or are not of a codec that was negotiated.
    MalformedRed = "malformed_red",
    /// FEC that cannot be read, or comes before or without what it protects.
    MalformedFec = "malformed_fec",
    /// Arrived before.
    Duplicate = "duplicate",
    /// Older than everything that is kept.
    TooOld = "too_old",
    /// Media for a subscriber that is not connected yet.
    NotConnected = "not_connected",
    /// A layer this subscriber does not receive.
    OtherLayer = "other_layer",
    /// A copy ahead of loss: more important packets wait.
    NoRoomAhead = "no_room_ahead",
    /// The subscriber is sent nothing of this source for now: hidden, no bandwidth, beyond last-N, not loud.
    Paused = "paused",
    /// Video before the keyframe that a subscriber waits for.
    WaitingForKeyframe = "waiting_for_keyframe",
    /// A late packet from before the source was bound.
    BeforeSwitch = "before_switch",
    /// Audio from before what the slot has sent already.
    BehindLine = "behind_line",
    /// The subscriber did not negotiate the publisher's codec.
    NoCommonCodec = "no_common_codec",
    /// Fell out of the cache before it could be sent.
    CacheMiss = "cache_miss",
    /// NACK for a packet that was never sent or is forgotten.
    NackUnknown = "nack_unknown",
    /// NACK for a packet that was resent moments ago.
    NackRepeated = "nack_repeated",
    /// NACK for a slot with neither RTX nor NACK negotiated.
    NackWithoutRtx = "nack_without_rtx",
    /// More than is answered of one compound.
    NackFlood = "nack_flood",
    /// The subscriber's budget of retransmissions is spent.
    NackOverBudget = "nack_over_budget",
    /// Sound that would arrive after its time.
    NackTooLate = "nack_too_late",
    /// Transport-wide feedback more often than any receiver has reason to send it.
    FeedbackFlood = "feedback_flood",
    /// Feedback about an SSRC that is not a slot.
    FeedbackUnknownSsrc = "feedback_unknown_ssrc",
    /// Left out because more waits for this subscriber than its link takes.
    PacerPressure = "pacer_pressure",
    /// More packets wait for one peer than it will be sent.
    QueueFull = "queue_full",
    /// A data message of a peer that may send none.
    DataNotAllowed = "data_not_allowed",
    /// A data message whose address cannot be read, or that names too many.
    DataMalformed = "data_malformed",
    /// A data message with more than may be said in one.
    DataTooLarge = "data_too_large",
    /// A lossy data message that newer ones took the place of, before its receiver's link had room.
    DataLossyOverflow = "data_lossy_overflow",
    /// A reliable data message for a peer that reads so slowly that its channels were closed.
    DataSlowReader = "data_slow_reader",
    /// A data message that the association would not take.
    DataNotTaken = "data_not_taken",
    /// What another worker handed over of a track that nobody watches here any longer, or says of one that is not here.
    RelayUnknown = "relay_unknown",
    /// Packets that another worker had no room to hand over: a keyframe is asked for, if it was video.
    RelayLost = "relay_lost",
    /// Handed over by another worker, and not to be read.
    RelayMalformed = "relay_malformed",
    /// The transport would not encrypt.
    Protect = "protect",
}

/// One number per reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DropCounters([u64; DropReason::ALL.len()]);

impl Default for DropCounters {
    fn default() -> Self {
        Self([0; DropReason::ALL.len()])
    }
}

impl DropCounters {
    pub(crate) fn count(&mut self, reason: DropReason) {
        self.0[reason as usize] += 1;
    }
    pub(crate) fn add(&mut self, reason: DropReason, times: usize) {
        self.0[reason as usize] += times as u64;
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().map(|&r| (r, self.0[r as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_distinct_and_counters_meet_their_reason() {
        let mut names: Vec<_> = DropReason::ALL.iter().map(|r| r.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DropReason::ALL.len());
        let mut counters = DropCounters::default();
        counters.count(DropReason::Protect);
        assert!(counters.iter().all(|(r, n)| n == u64::from(r == DropReason::Protect)));
    }
}
