//! The kernel's multiplicative hash, and tables of 256 slots that it leads into (ipvs-facts A.10, A.11).

use ulvs_wire::{Address, Family};

/// Bits of a slot's number.
pub(super) const SLOT_BITS: u32 = 8;

/// The slots: each has the place of a destination. Only the first 256 destinations can have one.
#[derive(Debug)]
pub(super) struct Slots(Option<Box<[u8; 1 << SLOT_BITS]>>);

impl Slots {
    /// Walks the list round and round; each destination takes as many slots as `share` says, and at least one.
    pub(super) fn fill<T>(list: &[T], share: impl Fn(&T) -> usize) -> Self {
        let walk = (0..=u8::MAX).zip(list).flat_map(|(place, one)| std::iter::repeat_n(place, share(one).max(1)));
        let mut slots = Box::new([0; 1 << SLOT_BITS]);
        // `walk` begins anew as often as it takes; without a list it never yields.
        let mut filled = walk.cycle();
        for slot in slots.iter_mut() {
            match filled.next() {
                Some(place) => *slot = place,
                None => return Self(None),
            }
        }
        Self(Some(slots))
    }

    /// The place of slot `offset` slots after the hash of `key`, the last being followed by the first.
    #[inline]
    pub(super) fn at(&self, key: u32, offset: u32) -> Option<usize> {
        let slot = offset.wrapping_add(hash32(key, SLOT_BITS)) as usize % (1 << SLOT_BITS);
        self.0.as_ref().map(|slots| slots[slot].into())
    }
}

/// `hash_32` of the kernel: the highest `bits` of a product.
#[inline]
pub(super) const fn hash32(value: u32, bits: u32) -> u32 {
    value.wrapping_mul(0x61C8_8647) >> (32 - bits)
}

/// An address in 32 bits: IPv6 addresses are folded.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "words of an address")]
pub(super) const fn fold(address: Address, family: Family) -> u32 {
    match family {
        Family::V4 => address.to_v4(),
        Family::V6 => {
            let bits = address.0;
            (bits >> 96) as u32 ^ (bits >> 64) as u32 ^ (bits >> 32) as u32 ^ bits as u32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ipvs-facts A.15.
    #[test]
    fn addresses_hash_as_in_the_kernel() {
        for (address, eight, ten, with_port) in [
            ("0.0.0.0", 0, 0, 88),
            ("10.0.0.1", 39, 159, 128),
            ("10.0.0.2", 137, 550, 226),
            ("2001:db8::1", 63, 252, 151),
            ("fd00::2", 238, 954, 71),
        ] {
            let ip: std::net::IpAddr = address.parse().unwrap();
            let key = fold(ip.into(), Family::of(ip));
            let hashes = (hash32(key, 8), hash32(key, 10), hash32(key.wrapping_add(1234), 8));
            assert_eq!(hashes, (eight, ten, with_port), "{address}");
        }
    }

    #[test]
    fn slots_are_filled_round_and_round() {
        let slots = Slots::fill(&[3, 0, 2], |&share| share);
        let filled: Vec<_> = (0..12).filter_map(|offset| slots.at(0, offset)).collect();
        assert_eq!(filled, [0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 2, 2]);
        assert_eq!(Slots::fill(&[300, 1], |&share| share).at(0, 255), Some(0));
        assert_eq!(Slots::fill(&[0; 0], |&share| share).at(0, 0), None);
    }
}
