//! The router between simulated peers, in virtual time: what each of them would notice.

mod call;
mod data;
mod ended_layers;
mod fec;
mod flexfec;
mod hostile;
mod keyframes;
mod large_rooms;
mod layers;
mod lip_sync;
mod pacing;
mod peer;
mod playout;
mod redundancy;
mod repair;
mod shedding;
mod spread;
mod svc;
mod watching;
mod world;
