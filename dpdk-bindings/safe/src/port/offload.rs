//! Sets of offloads.

use std::ops::{BitAnd, BitOr};

use dpdk_sys as sys;

macro_rules! offloads {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $bits:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(u64);

        impl $name {
            /// None of them.
            pub const NONE: Self = Self(0);
            $($(#[$item_doc])* pub const $item: Self = Self($bits);)*

            /// Whether all of `other` are in the set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            pub(super) const fn from_bits(bits: u64) -> Self {
                Self(bits)
            }

            pub(super) const fn bits(self) -> u64 {
                self.0
            }
        }

        impl BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl BitAnd for $name {
            type Output = Self;

            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }
    };
}

offloads! {
    /// What a NIC can do with packets it receives.
    RxOffloads {
        /// Checks IPv4 header checksums; see [`Mbuf::ip_checksum`](crate::Mbuf::ip_checksum).
        IPV4_CHECKSUM = sys::DPDK_RX_OFFLOAD_IPV4_CKSUM,
        /// Checks TCP checksums; see [`Mbuf::l4_checksum`](crate::Mbuf::l4_checksum).
        TCP_CHECKSUM = sys::DPDK_RX_OFFLOAD_TCP_CKSUM,
        /// Checks UDP checksums; see [`Mbuf::l4_checksum`](crate::Mbuf::l4_checksum).
        UDP_CHECKSUM = sys::DPDK_RX_OFFLOAD_UDP_CKSUM,
        /// Says the RSS hash; see [`Mbuf::rss_hash`](crate::Mbuf::rss_hash).
        RSS_HASH = sys::DPDK_RX_OFFLOAD_RSS_HASH,
        /// Puts frames longer than an mbuf into several; see [`Mbuf::is_contiguous`](crate::Mbuf::is_contiguous).
        SCATTER = sys::DPDK_RX_OFFLOAD_SCATTER,
    }
}

// Only what a packet can be asked or told through `Mbuf`. Checksums on the way out are updated in software, which costs
// a rewrite next to nothing, and tags stay in the packet.
//
// DPDK's "fast free" is left out on purpose: a driver that has it returns every packet to the pool of the first, so that
// packets of two pools on one queue corrupt both.
offloads! {
    /// What a NIC can do with packets it sends.
    TxOffloads {
        /// Sends packets of several mbufs.
        MULTI_SEGMENT = sys::DPDK_TX_OFFLOAD_MULTI_SEGS,
    }
}
