//! Direct routing: the packet goes to the real server's hardware address, otherwise as it came (ipvs-facts C.5).

use ulvs_wire::Packet;

use crate::frame::Frame;

/// Sends a request to the real server.
#[inline]
pub(crate) fn request(frame: &mut impl Frame, packet: &Packet, ethernet: &[u8; 12]) {
    super::decrement_ttl(frame, packet);
    super::set_ethernet(frame, ethernet);
}
