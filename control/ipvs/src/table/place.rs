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

/// The address in the recorded kernel's memory, as far as it counts.
const SEED: u8 = 0xf0;

impl Place {
    pub(super) fn new(id: &ServiceId, made: u64) -> Self {
        let (by_mark, hash) = match id {
            ServiceId::Mark { mark, .. } => {
                let [.., low] = mark.to_be_bytes();
                (true, low)
            }
            ServiceId::Address { protocol, address } => {
                // the low byte of each of the address's words
                let address_hash = match address.ip() {
                    IpAddr::V4(ip) => ip.octets()[3],
                    IpAddr::V6(ip) => ip.octets().into_iter().skip(3).step_by(4).fold(0, |hash, byte| hash ^ byte),
                };
                let ([_, protocol], [high, low]) = (protocol.to_be_bytes(), address.port().to_be_bytes());
                (false, address_hash ^ protocol ^ high ^ low)
            }
        };
        Self { by_mark, bucket: hash ^ SEED, made: Reverse(made) }
    }
}
