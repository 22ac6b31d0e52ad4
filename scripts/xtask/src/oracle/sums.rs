//! Checksums, computed in full: nothing here is shared with what is tested.

use std::net::IpAddr;

/// The Internet checksum (RFC 1071) of what comes one after the other; each part but the last of even length.
pub(super) fn internet(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// The sum of a segment with its pseudo header: 0 if the checksum in it is right.
pub(super) fn transport(source: IpAddr, destination: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    let bytes = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut pseudo = [bytes(source), bytes(destination)].concat();
    pseudo.extend(u32::try_from(segment.len()).unwrap_or(u32::MAX).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    internet(&[&pseudo, segment])
}

/// The CRC-32C (RFC 9260 appendix A) of a packet whose checksum field counts as zero.
pub(super) fn crc32c(packet: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for (index, byte) in packet.iter().enumerate() {
        crc ^= u32::from(if (8..12).contains(&index) { 0 } else { *byte });
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sums() {
        // the example of RFC 1071, section 3
        assert_eq!(internet(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        // thirty-two zeros, RFC 3720 B.4
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }
}
