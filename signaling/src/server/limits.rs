//! How many TCP connections there may be, of all and of one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug)]
pub(super) struct ConnectionCap {
    total_max: usize,
    per_address_max: usize,
    open: AtomicUsize,
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
    pub refused_total: AtomicU64,
    pub refused_address: AtomicU64,
}

/// Counts as one connection while it lives: through TLS and HTTP, and in the WebSocket that comes of it.
#[derive(Debug)]
pub(super) struct Admitted {
    cap: Arc<ConnectionCap>,
    address: IpAddr,
}

impl ConnectionCap {
    pub fn new(total_max: usize, per_address_max: usize) -> Self {
        Self {
            total_max,
            per_address_max,
            open: AtomicUsize::new(0),
            by_address: Mutex::default(),
            refused_total: AtomicU64::new(0),
            refused_address: AtomicU64::new(0),
        }
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// None: one too many; counted.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Arc<Admitted>> {
        let address = address.to_canonical();
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if self.open() >= self.total_max {
            self.refused_total.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let count = by_address.entry(address).or_default();
        if *count >= self.per_address_max {
            self.refused_address.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *count += 1;
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Arc::new(Admitted { cap: self.clone(), address }))
    }
}

impl Admitted {
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut by_address = self.cap.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        self.cap.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_count_while_they_live() {
        let cap = Arc::new(ConnectionCap::new(3, 2));
        let [a, b]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|a| a.parse().unwrap());
        let first = cap.admit(a).unwrap();
        let _second = cap.admit("::ffff:192.0.2.1".parse().unwrap()).unwrap();
        assert!(cap.admit(a).is_none(), "two of one address, however it is written");
        let _third = cap.admit(b).unwrap();
        assert!(cap.admit(b).is_none(), "three of all");
        drop(first);
        assert!(cap.admit(b).is_some());
        assert_eq!((cap.open(), cap.by_address.lock().unwrap().len()), (2, 2));
        assert_eq!(cap.refused_total.load(Ordering::Relaxed), 1);
        assert_eq!(cap.refused_address.load(Ordering::Relaxed), 1);
    }
}
