//! What travels over data channels: an address in front of what the application says.
//!
//! ```text
//!  to the server     | count | length | id ... | length | id ... | payload     count 0: to everybody else
//!  to a participant  | length | id of the sender ... | payload
//! ```
//! Counts and lengths are one byte, ids are those of signaling. Two channels that nobody opens, since both ends know
//! them (RFC 8832 section 1, negotiated out of band): nothing has to be waited for.

/// One of the two channels; what it is on the wire is the number of its SCTP stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Channel {
    /// Everything arrives, in order.
    Reliable = 0,
    /// Nothing is sent twice, nothing waits for what is missing.
    Lossy = 1,
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Reliable, Self::Lossy];

    /// None: no channel of ours.
    pub fn from_stream(stream: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.stream() == stream)
    }

    pub fn stream(self) -> u16 {
        self as u16
    }
}

/// The most that an application says in one message: a dozen packets, which a link of 300 kb/s takes half a second for.
/// Larger things belong to files.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// Participants that one message names.
pub const RECIPIENTS_MAX: usize = 64;
/// A whole message with its address; `a=max-message-size` of the server.
pub const MESSAGE_BYTES_MAX: usize = 20 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DataError {
    #[error("the address does not fit the message")]
    Malformed,
    #[error("more than {RECIPIENTS_MAX} recipients")]
    TooManyRecipients,
    #[error("more than {PAYLOAD_BYTES_MAX} bytes")]
    TooLarge,
}

/// A message on its way to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Addressed<'a> {
    /// Checked: every length fits.
    recipients: &'a [u8],
    pub payload: &'a [u8],
}

impl<'a> Addressed<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Self, DataError> {
        let (&count, ids) = message.split_first().ok_or(DataError::Malformed)?;
        if usize::from(count) > RECIPIENTS_MAX {
            return Err(DataError::TooManyRecipients);
        }
        let mut payload = ids;
        for _ in 0..count {
            (_, payload) = split_id(payload).ok_or(DataError::Malformed)?;
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(DataError::TooLarge);
        }
        Ok(Self { recipients: &ids[..ids.len() - payload.len()], payload })
    }

    /// Whom it is for; none: everybody else.
    pub fn recipients(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.recipients;
        std::iter::from_fn(move || {
            let (id, after) = split_id(rest)?;
            rest = after;
            Some(id)
        })
    }

    pub fn write(recipients: &[&[u8]], payload: &[u8]) -> Result<Vec<u8>, DataError> {
        if recipients.len() > RECIPIENTS_MAX {
            return Err(DataError::TooManyRecipients);
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(DataError::TooLarge);
        }
        let mut message = vec![recipients.len() as u8];
        for id in recipients {
            write_id(&mut message, id)?;
        }
        message.extend_from_slice(payload);
        Ok(message)
    }
}

/// A message on its way to a participant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delivered<'a> {
    pub sender: &'a [u8],
    pub payload: &'a [u8],
}

impl<'a> Delivered<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Self, DataError> {
        let (sender, payload) = split_id(message).ok_or(DataError::Malformed)?;
        Ok(Self { sender, payload })
    }

    pub fn write(sender: &[u8], payload: &[u8]) -> Result<Vec<u8>, DataError> {
        let mut message = Vec::with_capacity(1 + sender.len() + payload.len());
        write_id(&mut message, sender)?;
        message.extend_from_slice(payload);
        Ok(message)
    }
}

fn split_id(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(len))
}

fn write_id(message: &mut Vec<u8>, id: &[u8]) -> Result<(), DataError> {
    message.push(u8::try_from(id.len()).map_err(|_| DataError::Malformed)?);
    message.extend_from_slice(id);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_was_written() {
        for recipients in [&[][..], &[&b"pa"[..], b"", b"p23456789abcd"]] {
            let message = Addressed::write(recipients, b"hello").unwrap();
            let read = Addressed::parse(&message).unwrap();
            assert_eq!(
                (read.recipients().collect::<Vec<_>>(), read.payload),
                (recipients.to_vec(), &b"hello"[..])
            );
        }
        let message = Delivered::write(b"pa", b"").unwrap();
        assert_eq!(message, b"\x02pa");
        assert_eq!(Delivered::parse(&message), Ok(Delivered { sender: b"pa", payload: b"" }));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_largest_fits_the_announced_size() {
        assert_eq!(Addressed::parse(b""), Err(DataError::Malformed));
        assert_eq!(Addressed::parse(b"\x01"), Err(DataError::Malformed));
        assert_eq!(Addressed::parse(b"\x01\x02a"), Err(DataError::Malformed));
        assert_eq!(Addressed::parse(b"\xff"), Err(DataError::TooManyRecipients));
        assert_eq!(Delivered::parse(b""), Err(DataError::Malformed));
        let large = vec![0; PAYLOAD_BYTES_MAX + 1];
        assert_eq!(Addressed::write(&[], &large), Err(DataError::TooLarge));
        assert_eq!(Addressed::parse(&[&[0], &large[..]].concat()), Err(DataError::TooLarge));
        assert_eq!(Delivered::write(&[0; 256], b""), Err(DataError::Malformed));
        let ids = [&b"p23456789abcdefghijklmnopqrstuvwxyz"[..]; RECIPIENTS_MAX];
        let largest = Addressed::write(&ids, &large[1..]).unwrap();
        assert!(largest.len() <= MESSAGE_BYTES_MAX, "{}", largest.len());
        assert_eq!(Addressed::parse(&largest).unwrap().recipients().count(), RECIPIENTS_MAX);
    }
}
