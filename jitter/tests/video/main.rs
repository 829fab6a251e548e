//! What somebody sees, in virtual time: pictures of every codec over links that lose, delay and reorder.

mod call;
mod lip_sync;
mod networks;
mod stream;
