//! Calls in virtual time, as a user would notice them. `SAMPAN_SEED=7 cargo test -p tests --test scenarios NAME` runs one
//! with another seed.

mod adapt;
mod calls;
mod data;
mod determinism;
mod hostile;
mod networks;
mod people;
mod phones;
