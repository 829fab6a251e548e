//! Who is speaking in a room, from the audio levels that publishers put into their packets (RFC 6464): smoothed, so
//! that a cough is nobody, and with hysteresis, so that the list stands still while people pause for breath.

use packet::PeerId;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often levels are compared.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Loudness above silence in dB: 127 minus the level's distance from full scale.
#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    loudness: f32,
    speaking: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Speakers {
    voices: BTreeMap<PeerId, Voice>,
    loudest_first: Vec<PeerId>,
    /// The loudest, as many as are heard at once; `None`: everybody is.
    audible: Option<Vec<PeerId>>,
}

/// Of the difference per tick. Rising: 300 ms of speech at -25 dBov pass the threshold, one loud tick does not.
const RISE: f32 = 0.4;
/// Falling: a pause of half a second between sentences does not end a speaker.
const FALL: f32 = 0.08;
/// -52 dBov: speech close to a microphone is -20 to -40, a quiet room below -60.
const SPEAKS_ABOVE: f32 = 75.0;
const SILENT_BELOW: f32 = 65.0;
/// Two speakers change places only when one is louder by this much.
const OVERTAKES_BY: f32 = 6.0;

impl Speakers {
    /// One tick. `levels`: the loudest level of each participant since the last tick, as minus dBov; who has none is
    /// silent (DTX). The new list if it changed.
    pub fn tick(&mut self, levels: impl IntoIterator<Item = (PeerId, Option<u8>)>) -> Option<Vec<PeerId>> {
        let mut voices = BTreeMap::new();
        for (peer, level) in levels {
            let mut voice = self.voices.get(&peer).copied().unwrap_or_default();
            let loudness = level.map_or(0.0, |minus_dbov| 127.0 - f32::from(minus_dbov.min(127)));
            let share = if loudness > voice.loudness { RISE } else { FALL };
            voice.loudness += (loudness - voice.loudness) * share;
            voice.speaking = voice.loudness > if voice.speaking { SILENT_BELOW } else { SPEAKS_ABOVE };
            voices.insert(peer, voice);
        }
        self.voices = voices;

        let mut list: Vec<PeerId> = self.loudest_first.iter().copied().filter(|p| self.speaks(p)).collect();
        let new: Vec<PeerId> =
            self.voices.keys().copied().filter(|p| self.speaks(p) && !list.contains(p)).collect();
        list.extend(new);
        // Insertion sort that moves somebody only past those who are clearly quieter.
        for i in 1..list.len() {
            let mut at = i;
            while at > 0 && self.loudness(&list[at]) > self.loudness(&list[at - 1]) + OVERTAKES_BY {
                list.swap(at, at - 1);
                at -= 1;
            }
        }
        if list == self.loudest_first {
            return None;
        }
        self.loudest_first.clone_from(&list);
        Some(list)
    }

    /// Lets only the `most` loudest be heard: who is heard stays so until somebody else is clearly louder. True if others
    /// are than before.
    pub fn limit(&mut self, most: Option<usize>) -> bool {
        let Some(most) = most else { return self.audible.take().is_some() };
        let before = self.audible.take();
        let heard = before.clone().unwrap_or_default();
        let bonus = |peer: &PeerId| if heard.contains(peer) { OVERTAKES_BY } else { 0.0 };
        let mut loudest: Vec<PeerId> = self.voices.keys().copied().collect();
        loudest.sort_by(|a, b| {
            let (a, b) = ((self.loudness(a) + bonus(a), a), (self.loudness(b) + bonus(b), b));
            b.0.total_cmp(&a.0).then(a.1.cmp(b.1))
        });
        loudest.truncate(most);
        loudest.sort_unstable();
        let changed = before.as_ref() != Some(&loudest);
        self.audible = Some(loudest);
        changed
    }

    /// As another worker has decided; true if others speak or are heard than before.
    pub fn follow(&mut self, loudest_first: Vec<PeerId>, audible: Option<Vec<PeerId>>) -> bool {
        let changed = self.loudest_first != loudest_first || self.audible != audible;
        (self.loudest_first, self.audible) = (loudest_first, audible);
        changed
    }

    pub fn loudest_first(&self) -> &[PeerId] {
        &self.loudest_first
    }

    /// Who is heard; `None`: everybody.
    pub fn audible(&self) -> Option<&[PeerId]> {
        self.audible.as_deref()
    }

    /// Place among those who speak, 0 the loudest.
    pub fn rank(&self, peer: PeerId) -> Option<u8> {
        self.loudest_first.iter().position(|p| *p == peer).map(|place| place.min(254) as u8)
    }

    pub fn is_audible(&self, peer: PeerId) -> bool {
        self.audible.as_ref().is_none_or(|audible| audible.contains(&peer))
    }

    /// Nothing would change without new levels.
    pub fn is_idle(&self) -> bool {
        self.voices.values().all(|v| v.loudness < 1.0)
    }

    fn speaks(&self, peer: &PeerId) -> bool {
        self.voices.get(peer).is_some_and(|v| v.speaking)
    }
    fn loudness(&self, peer: &PeerId) -> f32 {
        self.voices.get(peer).map_or(0.0, |v| v.loudness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PeerId = PeerId(1);
    const B: PeerId = PeerId(2);

    /// Ticks with the levels of A and B; every change of the list with its tick.
    fn changes(levels: impl IntoIterator<Item = (Option<u8>, Option<u8>)>) -> Vec<(usize, Vec<PeerId>)> {
        let mut speakers = Speakers::default();
        let ticks = levels.into_iter().enumerate();
        ticks.filter_map(|(i, (a, b))| Some((i, speakers.tick([(A, a), (B, b)])?))).collect()
    }

    #[test]
    fn a_speaker_is_named_within_half_a_second_and_a_cough_is_not() {
        let speech = (Some(30), Some(127));
        let found = changes(vec![speech; 20]);
        assert!(matches!(&found[..], [(1..=5, who)] if who == &[A]), "{found:?}");
        let cough = [vec![speech; 2], vec![(Some(90), Some(90)); 30]].concat();
        assert_eq!(changes(cough), []);
    }

    #[test]
    fn a_pause_between_sentences_does_not_end_a_speaker_and_silence_does() {
        let sentence = vec![(Some(28), None); 20];
        let pause = vec![(Some(80), None); 4];
        let silence = vec![(None, None); 20];
        let found = changes([sentence.clone(), pause.clone(), sentence, silence].concat());
        assert!(
            matches!(&found[..], [(_, first), (45.., last)] if first == &[A] && last.is_empty()),
            "{found:?}"
        );
    }

    #[test]
    fn two_of_equal_loudness_do_not_change_places() {
        let wobble = (0..200).map(|i| if i % 2 == 0 { (Some(30), Some(34)) } else { (Some(34), Some(30)) });
        let found = changes(wobble);
        assert!(found.len() <= 2 && found.iter().all(|(at, _)| *at < 6), "{found:?}");
        let louder = [vec![(Some(50), Some(50)); 30], vec![(Some(50), Some(25)); 30]].concat();
        assert_eq!(changes(louder).last().unwrap().1, [B, A]);
    }

    #[test]
    fn who_left_is_not_listed() {
        let mut speakers = Speakers::default();
        for _ in 0..10 {
            speakers.tick([(A, Some(20))]);
        }
        assert_eq!(speakers.tick([]), Some(vec![]));
        assert!(speakers.is_idle());
    }

    #[test]
    fn the_loudest_are_heard_and_change_only_for_somebody_clearly_louder() {
        let people: Vec<PeerId> = (0..10).map(PeerId).collect();
        let mut speakers = Speakers::default();
        let mut say = |levels: &dyn Fn(u64) -> u8| {
            let mut changes = 0;
            for _ in 0..40 {
                speakers.tick(people.iter().map(|p| (*p, Some(levels(p.0)))));
                changes += usize::from(speakers.limit(Some(3)));
            }
            (people.iter().filter(|p| speakers.is_audible(**p)).map(|p| p.0).collect::<Vec<_>>(), changes)
        };
        assert_eq!(say(&|p| 60 - 3 * p as u8).0, [7, 8, 9]);
        assert_eq!(say(&|p| 38 - 3 * (p % 2) as u8), (vec![7, 8, 9], 0), "a little louder is not enough");
        let (heard, changes) = say(&|p| if p == 2 { 20 } else { 50 });
        assert!(heard.len() == 3 && heard.contains(&2) && changes == 1, "{heard:?} {changes}");
        assert!(speakers.limit(None) && speakers.is_audible(PeerId(5)), "without a limit everybody is heard");
    }
}
