//! What each rung of the ladder gives back of a voice whose packets are lost.

mod common;

use common::{FRAME, deep, encode, spoken, syllables};
use jitter::audio::Decoder;
use voice::{Application, Channels, OpusDecoder, OpusEncoder, Settings, without_redundancy};

fn decoder() -> OpusDecoder {
    OpusDecoder::new(Channels::Mono, 5).unwrap()
}

fn play(decoder: &mut OpusDecoder, packets: &[Vec<u8>]) -> Vec<f32> {
    let mut heard = Vec::new();
    for packet in packets {
        decoder.decode(packet, &mut heard).unwrap();
    }
    heard
}

/// The first frame of a syllable, at or after frame `from`.
fn onset(from: usize) -> usize {
    (from..).find(|n| spoken(n * FRAME) && !spoken((n - 1) * FRAME)).unwrap()
}

#[test]
fn what_arrives_is_what_was_said() {
    let said = syllables(48_000);
    let heard = play(&mut decoder(), &encode(Settings::default(), &said, FRAME));
    assert_eq!(heard.len(), said.len());
    let lag = OpusEncoder::new(Settings::default()).unwrap().lookahead();
    let (said, heard) = (&said[9600..40_000], &heard[9600 + lag..40_000 + lag]);
    let product: f32 = said.iter().zip(heard).map(|(a, b)| a * b).sum::<f32>() / said.len() as f32;
    let similarity = product / (power(said) * power(heard)).sqrt();
    assert!(similarity > 0.9, "correlation {similarity}, look-ahead {lag}");
}

#[test]
fn a_lost_onset_comes_back_from_the_next_packet_and_cannot_be_made_up() {
    let said = syllables(96_000);
    let fec = Settings { expected_loss: 0.2, fec: true, ..Settings::default() };
    let lost = onset(20);
    for (rung, settings) in [("fec", fec), ("deep", deep())] {
        let packets = encode(settings, &said, FRAME);
        let (mut clean, mut repaired, mut concealed) = (decoder(), decoder(), decoder());
        let wanted = play(&mut clean, &packets[..=lost]);
        let wanted = power(&wanted[lost * FRAME..]);
        for other in [&mut repaired, &mut concealed] {
            play(other, &packets[..lost]);
        }
        let (mut from_next, mut made_up) = (Vec::new(), Vec::new());
        let done = match rung {
            "fec" => repaired.decode_fec(&packets[lost + 1], FRAME, &mut from_next),
            _ => repaired.decode_deep(&packets[lost + 1], 0, FRAME, &mut from_next),
        };
        concealed.conceal(FRAME, &mut made_up);
        assert!(done, "{rung}");
        let (from_next, made_up) = (power(&from_next) / wanted, power(&made_up) / wanted);
        assert!((0.25..4.0).contains(&from_next), "{rung}: {from_next} of the power that was said");
        assert!(made_up < 0.1, "{rung}: concealment has {made_up}");
    }
}

#[test]
fn lost_frames_are_each_decoded_at_their_own_place_wherever_the_gap_lies() {
    let said = syllables(96_000);
    let packets = encode(deep(), &said, FRAME);
    let count = 10;
    let mut clean = decoder();
    let clean = play(&mut clean, &packets);
    let mut from_deep = 0;
    for first in 40..70 {
        let later = &packets[first + count];
        let mut decoder = decoder();
        play(&mut decoder, &packets[..first]);
        for n in 0..count {
            let (before, mut heard) = ((count - 1 - n) * FRAME, Vec::new());
            if !decoder.decode_deep(later, before, FRAME, &mut heard) {
                decoder.conceal(FRAME, &mut heard);
                continue;
            }
            from_deep += 1;
            assert_eq!(heard.len(), FRAME);
            let (heard, wanted) = (power(&heard), power(&clean[(first + n) * FRAME..][..FRAME]));
            let at = first + n;
            match wanted {
                ..1e-4 => {
                    assert!(heard < 2e-3, "frame {at} from packet {}: pause has {heard}", first + count)
                }
                5e-3.. => {
                    assert!(heard > 1e-3, "frame {at} from packet {}: voice has {heard}", first + count)
                }
                _ => {} // An edge.
            }
        }
        assert!(
            !decoder.decode_deep(later, 48_000, FRAME, &mut Vec::new()),
            "further back than anything goes"
        );
    }
    assert!(from_deep > 240, "{from_deep} of 300 frames came from deep redundancy");
}

#[test]
fn a_packet_after_speech_tells_what_of_the_time_before_it_was_a_pause() {
    let mut said = syllables(96_000);
    said.resize(192_000, 0.0);
    let packets = encode(deep(), &said, FRAME);
    // 500 ms after the last word: its redundancy still reaches that.
    let (last, later) = (95, 120);
    let mut decoder = decoder();
    let mut tell = |frame: usize| {
        let before = (later - 1 - frame) * FRAME;
        let pause = decoder.is_pause(&packets[later], before, FRAME);
        let held = decoder.decode_deep(&packets[later], before, FRAME, &mut Vec::new());
        assert!(!(pause && held), "{frame} is both");
        (pause, held)
    };
    assert!((last + 10..later).all(|n| tell(n).0), "nobody spoke");
    assert!((last - 5..last).all(|n| tell(n) == (false, true)), "the last syllable");
    let mut other = self::decoder();
    assert!((60..later).all(|n| !other.is_pause(&packets[50][..3], (n - 60) * FRAME, FRAME)), "says nothing");
}

#[test]
fn without_its_redundancy_a_packet_is_smaller_and_sounds_the_same() {
    let packets = encode(deep(), &syllables(48_000), FRAME);
    let bare: Vec<Vec<u8>> = packets
        .iter()
        .cloned()
        .map(|mut packet| {
            without_redundancy(&mut packet);
            packet
        })
        .collect();
    let bytes = |packets: &[Vec<u8>]| packets.iter().map(Vec::len).sum::<usize>();
    assert!(bytes(&bare) * 3 < bytes(&packets) * 2, "{} of {}", bytes(&bare), bytes(&packets));
    assert_eq!(play(&mut decoder(), &bare), play(&mut decoder(), &packets));
    assert_eq!(decoder().reach(&bare[30]), 0);
}

#[test]
fn every_frame_size_and_channel_count_has_its_length() {
    let said = syllables(48_000);
    for channels in [Channels::Mono, Channels::Stereo] {
        let pcm: Vec<f32> = said.iter().flat_map(|&s| std::iter::repeat_n(s, channels.count())).collect();
        for frame in [120, 240, 480, 960, 1920, 2880, 3840, 4800, 5760] {
            for application in [Application::Voice, Application::Music] {
                let settings = Settings { channels, application, ..deep() };
                let packets = encode(settings, &pcm, frame);
                for wanted in [Channels::Mono, Channels::Stereo] {
                    let mut decoder = OpusDecoder::new(wanted, 5).unwrap();
                    assert_eq!(decoder.samples(&packets[3]), Some(frame));
                    let heard = play(&mut decoder, &packets);
                    assert_eq!(heard.len(), packets.len() * frame * wanted.count());
                    let power = power(&heard) / power(&said);
                    assert!(
                        (0.7..1.3).contains(&power),
                        "{channels:?} {frame} {application:?} {wanted:?}: {power}"
                    );
                }
            }
        }
    }
}

#[test]
fn in_a_packet_of_several_frames_fec_holds_only_the_last() {
    let settings = Settings { expected_loss: 0.2, ..Settings::default() };
    let packets = encode(settings, &syllables(96_000), 5760);
    let with_fec = packets.iter().find(|packet| decoder().fec(packet) > 0).unwrap();
    let held = decoder().fec(with_fec);
    assert!(held < 5760, "{held}");
    assert!(!decoder().decode_fec(with_fec, held - 480, &mut Vec::new()));
}

#[test]
fn what_is_no_packet_has_no_length_and_no_sound() {
    let mut decoder = decoder();
    for bad in [&[][..], &[0x0f, 0], &[0xff], &[0xff, 7], &[0x0f, 0x41, 0xff, 0xff]] {
        let mut out = Vec::new();
        assert!(decoder.samples(bad).is_none_or(|samples| samples > 0), "{bad:?}");
        assert!(decoder.decode(bad, &mut out).is_err() && out.is_empty(), "{bad:?}");
        assert!(!decoder.decode_fec(bad, FRAME, &mut out) && !decoder.decode_deep(bad, 0, FRAME, &mut out));
        assert_eq!((decoder.fec(bad), decoder.reach(bad), out.len()), (0, 0, 0), "{bad:?}");
    }
}

#[test]
fn any_length_can_be_concealed() {
    let mut decoder = decoder();
    play(&mut decoder, &encode(Settings::default(), &syllables(9600), FRAME));
    for samples in [0, 1, 119, 120, 480, 961, 5760, 20_001] {
        let mut out = vec![0.5];
        decoder.conceal(samples, &mut out);
        assert_eq!(out.len(), 1 + samples);
    }
}

/// Mean power.
fn power(pcm: &[f32]) -> f32 {
    pcm.iter().map(|s| s * s).sum::<f32>() / pcm.len().max(1) as f32
}
