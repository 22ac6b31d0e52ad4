use std::cmp::Reverse;
use std::net::IpAddr;

use super::ServiceId;

/// Where a service stands among all: in the order in which a kernel lists them.
///
/// A kernel walks the 256 buckets of its hash table, then those of services by mark; in a bucket the newest service
/// comes first. Its hash mixes in an address in its memory, so the order changes with each boot; ours is the one of the
/// kernel that the tests' vectors were recorded from.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    by_mark: bool,
    bucket: u8,
    made: Reverse<u64>,
}

/// Bits of an address in the recorded kernel's memory.
const SEED: u32 = 0xf0;

impl Place {
    pub(super) fn new(id: &ServiceId, made: u64) -> Self {
        let (by_mark, hash) = match id {
            ServiceId::Mark { mark, .. } => (true, *mark),
            ServiceId::Address { protocol, address } => {
                let folded = match address.ip() {
                    IpAddr::V4(ip) => ip.to_bits(),
                    IpAddr::V6(ip) => {
                        let [a, b, c, d, e, f, g, h] = ip.segments().map(u32::from);
                        (a ^ c ^ e ^ g) << 16 | (b ^ d ^ f ^ h)
                    }
                };
                let port = u32::from(address.port());
                (false, u32::from(*protocol) ^ folded ^ port >> 8 ^ port)
            }
        };
        let [bucket, ..] = (hash ^ SEED).to_le_bytes();
        Self { by_mark, bucket, made: Reverse(made) }
    }
}
