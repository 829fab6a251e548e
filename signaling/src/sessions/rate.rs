//! How often something may happen: token buckets.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

/// So many at once, and so many more a second after that.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rate {
    pub burst: u32,
    pub per_second: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    rate: Rate,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: f64::from(rate.burst), at: now }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate.per_second).min(f64::from(self.rate.burst));
        self.at = self.at.max(now);
    }

    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let is_allowed = self.tokens >= 1.0;
        if is_allowed {
            self.tokens -= 1.0;
        }
        is_allowed
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= f64::from(self.rate.burst)
    }
}

/// Addresses remembered; then the ones that have been quiet are forgotten. 100 bytes each.
const ADDRESSES_MAX: usize = 50_000;

/// One bucket per network address. An IPv6 customer has a whole /64, so that counts as one.
#[derive(Debug)]
pub(super) struct PerAddress {
    rate: Rate,
    buckets: BTreeMap<IpAddr, Bucket>,
    addresses_max: usize,
}

impl PerAddress {
    pub fn new(rate: Rate) -> Self {
        Self { rate, buckets: BTreeMap::new(), addresses_max: ADDRESSES_MAX }
    }

    pub fn take(&mut self, now: Instant, address: IpAddr) -> bool {
        let network = network(address);
        if self.buckets.len() >= self.addresses_max && !self.buckets.contains_key(&network) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            if self.buckets.len() >= self.addresses_max {
                // So many addresses at once are an attack: newcomers wait until some have gone quiet.
                return false;
            }
        }
        self.buckets.entry(network).or_insert_with(|| Bucket::new(self.rate, now)).take(now)
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // An instant to count from.
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_allowed_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Rate { burst: 3, per_second: 2.0 }, start);
        let taken = (0..5).filter(|_| bucket.take(start)).count();
        assert_eq!(taken, 3);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..5).filter(|_| bucket.take(later)).count(), 2);
        assert!(!bucket.take(start), "time that goes backwards gives nothing");
        let much_later = start + Duration::from_secs(100);
        assert_eq!((0..5).filter(|_| bucket.take(much_later)).count(), 3, "the burst is not exceeded");
    }

    #[test]
    fn addresses_do_not_share_and_a_v6_network_does() {
        let now = Instant::now();
        let mut joins = PerAddress::new(Rate { burst: 1, per_second: 1.0 });
        let mut take = |address: &str| joins.take(now, address.parse().unwrap());
        assert!(take("192.0.2.1"));
        assert!(!take("192.0.2.1"));
        assert!(!take("::ffff:192.0.2.1"), "the same address written as IPv6");
        assert!(take("192.0.2.2"));
        assert!(take("2001:db8::1"));
        assert!(!take("2001:db8::2"));
        assert!(take("2001:db8:0:1::1"));
    }

    #[test]
    fn quiet_addresses_are_forgotten() {
        let start = Instant::now();
        let mut joins = PerAddress::new(Rate { burst: 1, per_second: 1.0 });
        joins.addresses_max = 2;
        let mut take =
            |s: u64, address: &str| joins.take(start + Duration::from_secs(s), address.parse().unwrap());
        assert!(take(0, "192.0.2.1") && take(0, "192.0.2.2"));
        assert!(!take(0, "192.0.2.3"));
        assert!(take(5, "192.0.2.3"));
    }
}
