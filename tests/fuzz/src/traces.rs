//! Files that testers hand in as networks.

use netem::trace::{Format, Recorded};
use netem::{Link, LinkConfig};
use std::time::{Duration, Instant};

/// The first byte chooses a format, or that it is found out; the rest is the file. What can be read is a network: packets
/// pass it.
pub fn network_trace(input: &[u8]) {
    let Some((choice, file)) = input.split_first() else { return };
    let format = Format::ALL.get(usize::from(*choice)).copied();
    let Ok((_, recorded)) = Recorded::read(file, format) else { return };
    let mut config = LinkConfig { shifted_by_seed: true, ..LinkConfig::default() };
    match recorded {
        Recorded::Capacity(capacity) => config.capacity = capacity,
        Recorded::Packets(packets) => config.trace = Some(packets),
    }
    let start = Instant::now();
    let mut link = Link::new(config, u64::from(*choice), start);
    for number in 0..50 {
        link.handle_datagram(start + Duration::from_millis(number), 1200, number);
    }
    while let Some(at) = link.poll_timeout() {
        link.poll_output(at);
    }
}
