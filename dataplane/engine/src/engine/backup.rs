//! A sync backup with IPVS's sysctl `backup_only` is no director: what clients send is the kernel's, so that two directors that are
//! each other's real servers do not send it to and fro. Replies of real servers go on (ipvs-facts B.5 step 1, F.5).

use crate::conn::Direction;
use crate::frame::Frame;
use crate::verdict::{PuntReason, Verdict};

use super::{Context, Own, Staged};

impl Own {
    /// Decides about a flow without being a director.
    #[cold]
    #[inline(never)]
    pub(super) fn stand_aside<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, staged: &Staged) -> Verdict {
        let Staged { packet, home, .. } = staged;
        match cx.shared.table.search(*home, &packet.key).filter(|hit| hit.entry.has_time(cx.now)) {
            Some(hit) if hit.direction == Direction::Out => self.go_on(cx, frame, packet, *home, hit),
            Some(_) => Verdict::Punt(PuntReason::Backup),
            None if cx.service_of(packet).is_some() => Verdict::Punt(PuntReason::Backup),
            None => Verdict::Punt(PuntReason::NotAService),
        }
    }
}
