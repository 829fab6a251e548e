//! What each layer of one stream costs, smoothed over some seconds: decisions must not swing with an encoder, nor with one keyframe.

use super::describe::Described;
use packet::Bitrate;
use std::time::{Duration, Instant};

/// Spatial and temporal layers that are told apart; streams of browsers have three of each.
pub(crate) const SPATIAL_MAX: usize = 4;
pub(crate) const TEMPORAL_MAX: usize = 4;

/// Bytes per layer in windows, and a rate that rises with them faster than it falls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates {
    window: Option<Instant>,
    bytes: [[u32; TEMPORAL_MAX]; SPATIAL_MAX],
    rates: [[u64; TEMPORAL_MAX]; SPATIAL_MAX],
    windows: u32,
    /// By layer: windows since anything of it came.
    empty: [[u8; TEMPORAL_MAX]; SPATIAL_MAX],
}

const KEYFRAME_COUNTS: usize = 4;
const WINDOW: Duration = Duration::from_millis(500);
/// Windows without a packet after which a layer is gone: a shared screen that stands still sends a frame a second.
const GONE_AFTER: u8 = 6;

impl Rates {
    pub fn add(&mut self, now: Instant, described: &Described, bytes: usize) {
        let since = *self.window.get_or_insert(now);
        if now.saturating_duration_since(since) >= WINDOW {
            self.close(now, now.saturating_duration_since(since));
        }
        let spatial = usize::from(described.spatial).min(SPATIAL_MAX - 1);
        let temporal = usize::from(described.temporal).min(TEMPORAL_MAX - 1);
        // A keyframe is no part of what a layer takes while it is watched, and one in a layer that just began would look like all of it.
        let counted = if described.predicted { bytes } else { bytes / KEYFRAME_COUNTS };
        self.bytes[spatial][temporal] += counted as u32;
    }

    fn close(&mut self, now: Instant, time: Duration) {
        self.window = Some(now);
        // After a silence the window says nothing about a rate.
        let known = time < 2 * WINDOW;
        let micros = time.as_micros().max(1) as u64;
        for (s, row) in self.bytes.iter_mut().enumerate() {
            for (t, bytes) in row.iter_mut().enumerate() {
                let bytes = u64::from(std::mem::take(bytes));
                let empty = &mut self.empty[s][t];
                *empty = if bytes > 0 { 0 } else { empty.saturating_add(1) };
                if !known {
                    continue;
                }
                let (rate, measured) = (&mut self.rates[s][t], bytes * 8_000_000 / micros);
                *rate = match self.windows {
                    0 => measured,
                    // It begins: its first window was a part.
                    _ if *rate == 0 => measured,
                    _ if measured > *rate => (*rate * 3 + measured) / 4,
                    _ if *empty > GONE_AFTER => 0,
                    _ => (*rate * 7 + measured) / 8,
                };
            }
        }
        self.windows = self.windows.saturating_add(u32::from(known));
    }

    /// Highest spatial and temporal layer that are sent.
    pub fn highest(&self) -> (u8, u8) {
        let mut highest = (0, 0);
        for (s, row) in self.rates.iter().enumerate() {
            for (t, rate) in row.iter().enumerate() {
                if *rate > 0 || self.bytes[s][t] > 0 {
                    highest = (highest.0.max(s as u8), highest.1.max(t as u8));
                }
            }
        }
        highest
    }

    /// Of everything up to these layers; `None` before the first window.
    pub fn up_to(&self, spatial: u8, temporal: u8) -> Option<Bitrate> {
        let rows = self.rates.iter().take(usize::from(spatial) + 1);
        let sum = rows.flat_map(|row| row.iter().take(usize::from(temporal) + 1)).sum();
        (self.windows > 0).then_some(Bitrate(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn layer(spatial: u8, temporal: u8) -> Described {
        Described { spatial, temporal, predicted: true, ..Described::default() }
    }

    #[test]
    fn rates_add_up_over_layers_and_outlive_a_silence() {
        let mut rates = Rates::default();
        assert_eq!(rates.up_to(3, 3), None);
        for i in 0..200u64 {
            let at = start() + Duration::from_millis(20 * i);
            rates.add(at, &layer(0, (i % 2) as u8), 500);
            rates.add(at, &layer(1, 0), 1000);
        }
        let kbps = |s, t| rates.up_to(s, t).unwrap().as_kbps();
        assert!((95..=105).contains(&kbps(0, 0)), "{}", kbps(0, 0));
        assert!((195..=205).contains(&kbps(0, 1)));
        assert!((590..=610).contains(&kbps(1, 1)));
        assert_eq!(rates.highest(), (1, 1));
        let before = rates.up_to(3, 3);
        rates.add(start() + Duration::from_secs(60), &layer(0, 0), 500);
        assert_eq!(rates.up_to(3, 3), before, "switched off for a minute: its rate is what it was");
    }

    #[test]
    fn a_layer_that_ends_is_gone_and_a_pause_is_not() {
        let mut rates = Rates::default();
        for i in 0..400u64 {
            let at = start() + Duration::from_millis(20 * i);
            rates.add(at, &layer(0, 0), 500);
            if i < 100 {
                rates.add(at, &layer(0, 1), 500);
            }
            if i == 150 {
                assert_eq!(rates.highest(), (0, 1));
            }
        }
        assert_eq!(rates.highest(), (0, 0));
    }
}
