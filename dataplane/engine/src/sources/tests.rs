use proptest::prelude::*;

use super::*;

const HASHER: FlowHasher = FlowHasher::new([0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8ebc_6af0_9c88_c6e3]);

fn v4(number: u32) -> u64 {
    source(HASHER, Address::v4(number), Family::V4)
}

fn v6(text: &str) -> u64 {
    source(HASHER, text.parse::<std::net::IpAddr>().unwrap().into(), Family::V6)
}

fn limit(rate: u32, burst: u32) -> SourceLimit {
    SourceLimit::new(rate, burst).unwrap()
}

/// How many of `asked` connections at once a source gets.
fn taken(sources: &Sources, source: u64, limit: SourceLimit, now: Ticks, asked: usize) -> usize {
    (0..asked).filter(|_| sources.take(source, limit, now)).count()
}

#[test]
fn a_burst_and_then_the_rate() {
    let sources = Sources::of(16).unwrap();
    for (number, rate, burst) in [(1, 10, 30), (2, 1, 1), (3, 128, 5), (4, 3, 1000), (5, 2500, 100)] {
        let limit = limit(rate, burst);
        let begin = Ticks::from_seconds(1000);
        assert_eq!(taken(&sources, v4(number), limit, begin, 5000), burst as usize);
        let later =
            (1..=TICKS_PER_SECOND * 20).map(|tick| taken(&sources, v4(number), limit, Ticks(begin.0 + tick), 100));
        let (later, expected) = (later.sum::<usize>(), rate as usize * 20);
        assert!((expected..=expected + expected / 1000).contains(&later), "{later} in 20 s with a rate of {rate}");
        let full = Ticks::from_seconds(1000 + 20 + 3600);
        assert_eq!(taken(&sources, v4(number), limit, full, 5000), burst as usize, "full again");
    }
}

#[test]
fn who_is_refused_loses_nothing() {
    let sources = Sources::of(16).unwrap();
    let limit = limit(1, 2);
    for second in 0..100 {
        // Half a second is not enough for one more, however often it is asked for.
        assert_eq!(taken(&sources, v4(1), limit, Ticks::from_seconds(second), 50), if second == 0 { 2 } else { 1 });
        assert_eq!(taken(&sources, v4(1), limit, Ticks(second * TICKS_PER_SECOND + TICKS_PER_SECOND / 2), 50), 0);
    }
}

#[test]
fn a_source_of_ipv6_is_its_64() {
    let sources = Sources::of(16).unwrap();
    let (limit, now) = (limit(1, 4), Ticks(5));
    assert_eq!(v6("2001:db8:1:2::1"), v6("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_eq!(taken(&sources, v6("2001:db8:1:2::1"), limit, now, 3), 3);
    assert_eq!(taken(&sources, v6("2001:db8:1:2:aaaa::7"), limit, now, 3), 1);
    assert_eq!(taken(&sources, v6("2001:db8:1:3::1"), limit, now, 9), 4, "another /64");
    assert_eq!(taken(&sources, v4(1), limit, now, 9), 4, "another family");
}

#[test]
fn limits_that_make_no_sense_are_none() {
    for (rate, burst) in [(0, 1), (1, 0), (100_001, 1), (1, 3601), (u32::MAX, u32::MAX)] {
        assert_eq!(SourceLimit::new(rate, burst), None, "{rate}, {burst}");
    }
    assert!(SourceLimit::new(1, 3600).is_some() && SourceLimit::new(100_000, 360_000_000).is_some());
}

/// What was taken by another limit counts for no more than there is by this one.
#[test]
fn a_stricter_limit_counts_from_now_on() {
    let sources = Sources::of(16).unwrap();
    let now = Ticks::from_seconds(50);
    assert_eq!(taken(&sources, v4(1), limit(1, 3600), now, 3600), 3600);
    assert_eq!(taken(&sources, v4(1), limit(10, 10), now, 9), 0);
    assert_eq!(
        taken(&sources, v4(1), limit(10, 10), Ticks::from_seconds(51), 99),
        0,
        "still more than that is missing"
    );
    assert_eq!(taken(&sources, v4(2), limit(10, 10), now, 99), 10);
}

/// 10 M spoofed sources in 10 s over a table of the director's size, or as many for the size of a smaller one: of a source that
/// keeps to the limit nothing is dropped.
#[test]
fn a_flood_of_sources_leaves_others_alone() {
    const SMALLER: u32 = 64;
    let sources = Sources::of(SETS / SMALLER as usize).unwrap();
    let limit = limit(1, 3);
    let ticks = TICKS_PER_SECOND * 10;
    for tick in 0..ticks {
        let now = Ticks(tick);
        for number in 0..10_000_000 / SMALLER / ticks {
            assert!(sources.take(v4(0x0a00_0000 + tick * 8192 + number), limit, now), "the first of its source");
        }
        if tick % (TICKS_PER_SECOND / 2) == 0 && tick % TICKS_PER_SECOND < TICKS_PER_SECOND / 2 {
            for good in 0..64 {
                assert!(sources.take(v4(good), limit, now));
            }
        }
    }
}

/// A source that is over the limit stays known while others come that never were seen: they press out each other.
#[test]
fn a_flood_of_sources_frees_nobody() {
    let sources = Sources::of(16).unwrap();
    let limit = limit(1, 100);
    let mut taken_by_bad = 0;
    for tick in 0..TICKS_PER_SECOND * 10 {
        // 800 a second that are new, where 128 have room for a second.
        for number in 0..8 {
            assert!(sources.take(v4(0x0a00_0000 + tick * 8 + number), limit, Ticks(tick)));
        }
        taken_by_bad += taken(&sources, v4(1), limit, Ticks(tick), 4);
    }
    assert!((100..=110).contains(&taken_by_bad), "{taken_by_bad} with a burst of 100 and 1 a second");
}

/// The clock of the datapath goes round.
#[test]
fn buckets_outlive_the_wrap_of_the_clock() {
    let sources = Sources::of(16).unwrap();
    let limit = limit(1, 60);
    let before = Ticks(u32::MAX - 10);
    assert_eq!(taken(&sources, v4(1), limit, before, 99), 60);
    assert_eq!(taken(&sources, v4(1), limit, Ticks(before.0.wrapping_add(TICKS_PER_SECOND * 5)), 99), 5);
    assert_eq!(taken(&sources, v4(2), limit, Ticks(u32::MAX), 99), 60, "nobody's bucket is full");
}

/// All workers together.
#[test]
fn workers_share_buckets() {
    let sources = Sources::of(16).unwrap();
    let limit = limit(1, 1000);
    let all = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| taken(&sources, v4(1), limit, Ticks(9), 1000))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum::<usize>()
    });
    assert!((1000..1100).contains(&all), "{all} of 4000");
}

proptest! {
    /// Of any source, whatever others do in between, it is a token bucket: what is missing comes back by the time that passes, and
    /// a connection needs its part.
    #[test]
    fn each_source_has_a_token_bucket(
        rate in 1u32..300, burst in 1u32..50,
        asked in prop::collection::vec((0u32..200, 0usize..20, 0u32..3), 1..60),
    ) {
        let sources = Sources::of(1).unwrap();
        let limit = limit(rate, burst);
        let step = PARTS_PER_SECOND / u64::from(rate);
        let (mut now, mut missing) = (Ticks(77), [0; 3]);
        for (ticks, count, number) in asked {
            now = Ticks(now.0 + ticks);
            for missing in &mut missing {
                *missing = u64::saturating_sub(*missing, u64::from(ticks) << PARTS_PER_TICK);
            }
            let missing = &mut missing[number as usize];
            for _ in 0..count {
                let is_enough = *missing + step <= step * u64::from(burst);
                *missing += if is_enough { step } else { 0 };
                prop_assert_eq!(sources.take(v4(number), limit, now), is_enough);
            }
        }
    }
}
