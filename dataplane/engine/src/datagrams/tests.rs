use super::*;
use proptest::prelude::*;
use ulvs_wire::{Address, Family};

const NOW: Ticks = Ticks(1000);
const PORTS: [u8; 4] = [0, 53, 1, 2];

fn name(source: u32, id: u32) -> DatagramName {
    let hasher = FlowHasher::new([0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8ebc_6af0_9c88_c6e3]);
    let key = FlowKey::new(17, Family::V4, (Address::v4(source), 0), (Address::v4(2), 0));
    DatagramName::new(hasher, &key, id)
}

proptest! {
    /// In whatever order the parts come: each is new once, and with the last of them the datagram is forgotten.
    #[test]
    fn all_parts_in_any_order(sizes in prop::collection::vec(1usize..700, 2..12), seed: u64) {
        let datagrams = Datagrams::new().unwrap();
        let known = datagrams.begin(name(1, 7), PORTS, NOW).unwrap();
        let mut parts = Vec::new();
        let mut at = 0;
        for (number, size) in sizes.iter().enumerate() {
            parts.push((at..at + size, number + 1 == sizes.len()));
            at += size;
        }
        let shift = usize::try_from(seed % sizes.len() as u64).unwrap();
        parts.rotate_left(shift);
        if seed & 1 << 40 != 0 {
            parts.reverse();
        }
        for (number, (units, is_last)) in parts.iter().enumerate() {
            prop_assert!(datagrams.has(name(1, 7), NOW));
            // A part that has to wait is taken back and comes again.
            prop_assert_eq!(known.come(units.clone(), *is_last), Part::New);
            known.go(units.clone(), *is_last);
            prop_assert!(datagrams.has(name(1, 7), NOW));
            prop_assert_eq!(known.come(units.clone(), *is_last), Part::New);
            if number + 1 < parts.len() {
                prop_assert_eq!(known.come(units.clone(), *is_last), Part::Repeated);
            }
        }
        prop_assert!(!datagrams.has(name(1, 7), NOW));
    }

    #[test]
    fn bits_are_those_of_the_units(start in 0usize..8191, length in 1usize..300) {
        let units = start..(start + length).min(8192);
        let all: Vec<usize> = words(&units)
            .flat_map(|(word, bits)| (0..64).filter(move |bit| bits >> bit & 1 != 0).map(move |bit| word * 64 + bit))
            .collect();
        prop_assert_eq!(all, units.collect::<Vec<_>>());
    }
}

/// RFC 5722: with an overlap all of the datagram is lost, whatever follows.
#[test]
fn an_overlap_ends_the_datagram() {
    let datagrams = Datagrams::new().unwrap();
    let known = datagrams.begin(name(1, 7), PORTS, NOW).unwrap();
    assert_eq!(known.come(0..10, false), Part::New);
    assert_eq!(known.come(9..20, false), Part::Overlapping);
    assert_eq!(known.come(30..40, true), Part::Overlapping);
    // Until the source begins one with this number again.
    let known = datagrams.begin(name(1, 7), PORTS, NOW).unwrap();
    assert_eq!(known.come(0..10, false), Part::New);
}

#[test]
fn a_first_fragment_is_remembered_for_five_seconds() {
    let datagrams = Datagrams::new().unwrap();
    datagrams.begin(name(1, 7), PORTS, NOW).unwrap();
    let later = |seconds| Ticks(NOW.0 + ticks(seconds));
    assert_eq!(datagrams.find(name(1, 7), later(4)).map(|known| known.ports), Some(PORTS));
    assert!(!datagrams.has(name(1, 7), later(5)));
    assert!(!datagrams.has(name(1, 8), NOW) && !datagrams.has(name(2, 7), NOW));
}

/// Whoever floods takes his own places: what another source has begun stays.
#[test]
fn a_flood_of_firsts_takes_the_places_of_its_source() {
    let datagrams = Datagrams::new().unwrap();
    let others: Vec<_> = (10..40).filter(|&source| name(source, 1).source(64) != name(1, 1).source(64)).collect();
    assert!(others.len() > 20);
    for &source in &others {
        datagrams.begin(name(source, 1), PORTS, NOW).unwrap();
    }
    for id in 0..100_000 {
        datagrams.begin(name(1, id), PORTS, NOW).unwrap();
    }
    assert!(others.iter().all(|&source| datagrams.has(name(source, 1), NOW)));
    // The newest of its own is there all the same.
    assert!(datagrams.has(name(1, 99_999), NOW));
}
