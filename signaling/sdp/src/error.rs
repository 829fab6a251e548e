//! Why a description was refused.

/// The text is meant for the developer whose offer it was; it names the line or the thing that is missing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("the description is longer than {0} bytes")]
    TooLong(usize),
    #[error("too many {0}")]
    TooMany(&'static str),
    /// `line` counts from 1.
    #[error("line {line}: bad {what}")]
    Malformed { line: usize, what: &'static str },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0}")]
    Conflict(&'static str),
    /// No m-line could be accepted.
    #[error("no m-line has a codec in common with us")]
    NothingInCommon,
}
