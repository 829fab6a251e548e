//! Why a datagram was not used: one labelled counter each.

/// Every reason for which [`crate::Transport::handle_datagram`] refuses a datagram. None of them ends a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DropReason {
    /// Neither STUN, DTLS, RTP nor RTCP (RFC 7983).
    NotClassified,
    /// STUN that does not parse, or lacks what a connectivity check needs.
    StunMalformed,
    /// STUN for another session (ufrag of either side differs).
    StunOtherUser,
    /// STUN whose MESSAGE-INTEGRITY is wrong.
    StunBadIntegrity,
    /// STUN we have no use for: indications, TURN, answers to nothing we asked.
    StunUnexpected,
    /// The peer claims the role that is ours (answered with 487).
    StunRoleConflict,
    /// DTLS from an address that has not passed an authenticated connectivity check.
    DtlsUncheckedAddress,
    /// DTLS while there is no handshake and no association (before the peer's parameters are known, after a hand-over).
    DtlsNotExpected,
    /// DTLS that broke the handshake or the association.
    DtlsRejected,
    /// RTP or RTCP before the keys are known.
    SrtpNoKeys,
    /// RTP or RTCP with a truncated header or without room for the tag.
    SrtpMalformed,
    /// The authentication tag is wrong.
    SrtpBadTag,
    /// An index that was received already.
    SrtpReplayed,
    /// An index older than the replay window.
    SrtpTooOld,
    /// A new SSRC although the bounded number of them is reached.
    SrtpTooManySsrcs,
    /// An SCTP packet although no data channels were agreed on, or before the peer has begun an association.
    SctpNotExpected,
    /// An SCTP packet with a chunk that is cut.
    SctpMalformed,
    /// Data on a stream that is no channel of ours.
    SctpUnknownStream,
    /// A message that is neither text nor bytes: nobody opens channels here (DCEP).
    SctpNoMessage,
    /// More SCTP packets in a second than are looked at.
    SctpFlood,
    /// The session is closed or frozen.
    SessionClosed,
}

impl DropReason {
    pub const ALL: [Self; 21] = [
        Self::NotClassified,
        Self::StunMalformed,
        Self::StunOtherUser,
        Self::StunBadIntegrity,
        Self::StunUnexpected,
        Self::StunRoleConflict,
        Self::DtlsUncheckedAddress,
        Self::DtlsNotExpected,
        Self::DtlsRejected,
        Self::SrtpNoKeys,
        Self::SrtpMalformed,
        Self::SrtpBadTag,
        Self::SrtpReplayed,
        Self::SrtpTooOld,
        Self::SrtpTooManySsrcs,
        Self::SctpNotExpected,
        Self::SctpMalformed,
        Self::SctpUnknownStream,
        Self::SctpNoMessage,
        Self::SctpFlood,
        Self::SessionClosed,
    ];

    /// Position in [`Self::ALL`], for arrays of counters.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Label of the metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotClassified => "not_classified",
            Self::StunMalformed => "stun_malformed",
            Self::StunOtherUser => "stun_other_user",
            Self::StunBadIntegrity => "stun_bad_integrity",
            Self::StunUnexpected => "stun_unexpected",
            Self::StunRoleConflict => "stun_role_conflict",
            Self::DtlsUncheckedAddress => "dtls_unchecked_address",
            Self::DtlsNotExpected => "dtls_not_expected",
            Self::DtlsRejected => "dtls_rejected",
            Self::SrtpNoKeys => "srtp_no_keys",
            Self::SrtpMalformed => "srtp_malformed",
            Self::SrtpBadTag => "srtp_bad_tag",
            Self::SrtpReplayed => "srtp_replayed",
            Self::SrtpTooOld => "srtp_too_old",
            Self::SrtpTooManySsrcs => "srtp_too_many_ssrcs",
            Self::SctpNotExpected => "sctp_not_expected",
            Self::SctpMalformed => "sctp_malformed",
            Self::SctpUnknownStream => "sctp_unknown_stream",
            Self::SctpNoMessage => "sctp_no_message",
            Self::SctpFlood => "sctp_flood",
            Self::SessionClosed => "session_closed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_reason_once_and_in_order() {
        for (position, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), position);
        }
        let mut names: Vec<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DropReason::ALL.len());
    }
}
