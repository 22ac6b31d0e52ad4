//! Direct routing: the packet goes to the real server's hardware address, otherwise as it came (ipvs-facts C.5).

use ulvs_wire::Packet;

use crate::frame::Frame;

/// Sends a request to the real server.
#[inline(always)]
pub(crate) fn request(frame: &mut impl Frame, packet: &Packet, ethernet: &[u8; 12]) {
    let bytes = frame.bytes_mut();
    super::decrement_ttl(bytes, packet);
    super::set_ethernet(bytes, ethernet);
}
