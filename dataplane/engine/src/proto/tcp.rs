//! IPVS's TCP state machine: ipvs-facts B.3, every cell of which was seen on a running kernel.

use ulvs_wire::tcp::{ACK, FIN, RST, SYN};

use super::{Path, State};
use State::{
    Close as CL, CloseWait as CW, Established as ES, FinWait as FW, LastAck as LA, Listen as LI, SynAck as SA,
    SynRecv as SR, SynSent as SS, TimeWait as TW,
};

/// Next state by current state NO ES SS SR FW TW CL CW LA LI SA.
type Row = [State; 11];
/// Rows for the events SYN, FIN, ACK, RST.
type Events = [Row; 4];

#[rustfmt::skip]
const NORMAL: [Events; 3] = [
    // Input
    [
        [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR],
        [CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW],
        [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES],
        [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR],
    ],
    // Output
    [
        [SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR],
        [TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW],
        [ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES],
        [CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL],
    ],
    // Input only
    [
        [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR],
        [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW],
        [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES],
        [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL],
    ],
];

#[rustfmt::skip]
const SECURE: [Events; 3] = [
    // Input
    [
        [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA],
        [CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA],
        [ES, ES, SS, SR, FW, TW, CL, CW, CL, LI, SA],
        [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL],
    ],
    // Output
    [
        [SS, ES, SS, SA, SS, SS, SS, SS, SS, LI, SA],
        [TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW],
        [ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES],
        [CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL],
    ],
    // Input only
    [
        [SA, ES, ES, SR, SA, SA, SA, SA, SA, SA, SA],
        [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW],
        [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES],
        [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL],
    ],
];

/// Flags that decide, and states: powers of two, so that no index is out of bounds.
const FLAGS: usize = (ACK as usize) << 1;
const STATES: usize = 16;

/// TCP's states: the rows by the flags of a packet, so that a step is one load.
#[derive(Debug)]
pub(crate) struct TcpStates([[[State; STATES]; FLAGS]; 3]);

static NORMAL_STATES: TcpStates = TcpStates::table(&NORMAL);
static SECURE_STATES: TcpStates = TcpStates::table(&SECURE);

impl TcpStates {
    /// Those of `secure_tcp`, or the normal ones.
    pub(crate) fn of(secure_tcp: bool) -> &'static Self {
        if secure_tcp { &SECURE_STATES } else { &NORMAL_STATES }
    }

    /// The state after a packet with these flags, of a connection whose state has the number `state`.
    #[inline(always)]
    pub(super) fn step(&self, path: Path, state: u8, flags: u8) -> State {
        self.0[path as usize][usize::from(flags) % FLAGS][usize::from(state) % STATES]
    }

    #[expect(clippy::cast_possible_truncation, reason = "a number below FLAGS")]
    const fn table(paths: &[Events; 3]) -> Self {
        let mut table = [[[CL; STATES]; FLAGS]; 3];
        let mut path = 0;
        while path < paths.len() {
            let mut flags = 0;
            while flags < FLAGS {
                if let Some(event) = event(flags as u8) {
                    let row = &paths[path][event];
                    let mut state = 0;
                    while state < row.len() {
                        table[path][flags][state] = row[state];
                        state += 1;
                    }
                }
                flags += 1;
            }
            path += 1;
        }
        Self(table)
    }
}

/// The row of a packet: of several flags the first of RST, SYN, FIN, ACK counts; without any the connection closes.
const fn event(flags: u8) -> Option<usize> {
    if flags & RST != 0 {
        Some(3)
    } else if flags & SYN != 0 {
        Some(0)
    } else if flags & FIN != 0 {
        Some(1)
    } else if flags & ACK != 0 {
        Some(2)
    } else {
        None
    }
}
