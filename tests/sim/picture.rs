//! What one person saw of another over a while: how often the picture stood still, and which layer it was.
//!
//! Every picture is shown 400 ms after it was taken, as a player with that much of a buffer would; one that comes later is
//! shown when it comes. So a repair in time is no freeze, and a picture that is old is one.

use crate::ledger::{Arrival, Flow, Ledger};
use std::time::{Duration, Instant};

#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pictures a second.
    pub fps: f64,
    /// Share of the time in which nothing new came for longer than a person overlooks: a gap of more than
    /// max(3 average intervals, one + 150 ms), as `freezeCount` of WebRTC's statistics counts it.
    pub frozen: f64,
    pub longest_gap: Duration,
    /// Share of the time in which each layer was on the screen, lowest first.
    pub layers: [f64; 3],
    /// Changes of the layer, up and down.
    pub ups: usize,
    pub downs: usize,
    /// Of the pictures that came, the share older than 400 ms.
    pub late: f64,
}

/// A conversation's deadline.
const DEADLINE: Duration = Duration::from_millis(400);

impl Picture {
    pub fn of(ledger: &Ledger, flow: Flow, from: Instant, to: Instant) -> Self {
        let all = shown(ledger, flow);
        let (first, last) = (all.partition_point(|a| a.at < from), all.partition_point(|a| a.at < to));
        let seen = &all[first..last];
        let before = all[..first].last();
        let seconds = to.saturating_duration_since(from).as_secs_f64();
        let mut picture = Self {
            fps: seen.len() as f64 / seconds,
            frozen: 0.0,
            longest_gap: Duration::ZERO,
            layers: [0.0; 3],
            ups: 0,
            downs: 0,
            late: 0.0,
        };
        let (mut last, mut layer) = (from, before.map(|arrival| arrival.layer));
        let mut average: Option<f64> = None;
        for (at, next) in seen.iter().map(|a| (a.at, Some(a.layer))).chain([(to, None)]) {
            let gap = at.saturating_duration_since(last);
            picture.longest_gap = picture.longest_gap.max(gap);
            if let Some(layer) = layer {
                picture.layers[usize::from(layer.min(2))] += gap.as_secs_f64() / seconds;
            }
            let usual = *average.get_or_insert(gap.as_secs_f64().min(0.1));
            if gap.as_secs_f64() > (3.0 * usual).max(usual + 0.15) {
                picture.frozen += (gap.as_secs_f64() - usual) / seconds;
            } else {
                average = Some(usual + (gap.as_secs_f64() - usual) / 30.0);
            }
            if let (Some(old), Some(new)) = (layer, next) {
                picture.ups += usize::from(new > old);
                picture.downs += usize::from(new < old);
            }
            (last, layer) = (at, next.or(layer));
        }
        let is_late =
            |a: &&Arrival| ledger.sent_at(flow, a.number).is_some_and(|sent| a.at > sent + DEADLINE);
        picture.late = seen.iter().filter(is_late).count() as f64 / seen.len().max(1) as f64;
        picture
    }

    /// The first arrival at or after `since` of layer `layer` or a higher one.
    pub fn first_of_layer(ledger: &Ledger, flow: Flow, layer: u8, since: Instant) -> Option<Instant> {
        let arrivals = ledger.arrivals(flow).iter();
        arrivals.filter(|arrival| arrival.at >= since).find(|arrival| arrival.layer >= layer).map(|a| a.at)
    }
}

/// What arrived, with the moment at which it was shown.
fn shown(ledger: &Ledger, flow: Flow) -> Vec<Arrival> {
    let mut latest = None;
    let show = |arrival: &Arrival| {
        let due = ledger.sent_at(flow, arrival.number).map(|sent| sent + DEADLINE);
        let at = due.map_or(arrival.at, |due| due.max(arrival.at)).max(latest.unwrap_or(arrival.at));
        latest = Some(at);
        Arrival { at, ..*arrival }
    };
    ledger.arrivals(flow).iter().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Stamp;
    use packet::media::MediaKind;

    #[test]
    fn freezes_layers_and_switches_are_counted() {
        let start = Instant::now();
        let flow = Flow { receiver: 1, sender: 0, kind: MediaKind::Video };
        let mut ledger = Ledger::default();
        let ms = |ms: u64| start + Duration::from_millis(ms);
        for number in 0..100 {
            let at = u64::from(number) * 40;
            let layer = if (1000..2000).contains(&at) { 1 } else { 2 };
            let stamp = Stamp { sender: 0, kind: MediaKind::Video, number, layer };
            ledger.sent(ms(at), stamp);
            if !(3000..3600).contains(&at) {
                ledger.received(ms(at), 1, stamp);
            }
        }
        let picture = Picture::of(&ledger, flow, ms(400), ms(4400));
        assert_eq!((picture.ups, picture.downs), (1, 1));
        assert!((picture.layers[1] - 0.25).abs() < 0.02, "{picture:?}");
        assert!((picture.frozen - 0.15).abs() < 0.02, "{picture:?}");
        assert_eq!(picture.late, 0.0);
        assert_eq!(Picture::first_of_layer(&ledger, flow, 2, ms(1000)), Some(ms(2000)));
    }
}
