//! SipHash-1-3 of one 32-bit number with a 128-bit key whose halves are equal: the kernel's `hsiphash` on 64-bit machines
//! (ipvs-facts A.12). For placing destinations only: the keys are public.

/// The hash's low 32 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the kernel truncates as well")]
pub(super) const fn hsiphash(half: u64, value: u32) -> u32 {
    let mut v = [
        half ^ 0x736f_6d65_7073_6575,
        half ^ 0x646f_7261_6e64_6f6d,
        half ^ 0x6c79_6765_6e65_7261,
        half ^ 0x7465_6462_7974_6573,
    ];
    // The only block: the length in the highest byte, the number in the lowest four.
    let block = 4 << 56 | value as u64;
    v[3] ^= block;
    v = round(v);
    v[0] ^= block;
    v[2] ^= 0xff;
    v = round(round(round(v)));
    (v[0] ^ v[1] ^ v[2] ^ v[3]) as u32
}

#[inline]
const fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_siphash_1_3_of_four_bytes() {
        use std::hash::Hasher;
        // The standard library's has a key of zeros.
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(&0x0a00_0001_u32.to_le_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "the kernel truncates as well")]
        let expected = hasher.finish() as u32;
        assert_eq!(hsiphash(0, 0x0a00_0001), expected);
    }
}
