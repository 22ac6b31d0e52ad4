use super::State;
use crate::time::ticks;

/// How long a connection lives in each state after its last packet (ipvs-facts B.3, B.4), in ticks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts([u32; State::ALL.len()]);

impl Default for Timeouts {
    /// IPVS's: 900 s established, 120 s FIN-WAIT, 300 s UDP.
    fn default() -> Self {
        let mut of = [0; State::ALL.len()];
        for state in State::ALL {
            of[state as usize] = ticks(match state {
                State::None => 2,
                State::Established | State::Associated => 900,
                State::SynSent | State::FinWait | State::TimeWait | State::Listen | State::SynAck => 120,
                State::SynRecv | State::CloseWait => 60,
                State::Close => 10,
                State::LastAck => 30,
                State::Udp => 300,
                State::Init1 | State::Rejected => 4,
                State::Init
                | State::CookieSent
                | State::CookieReplied
                | State::CookieWait
                | State::Cookie
                | State::CookieEchoed
                | State::ShutdownSent
                | State::ShutdownReceived
                | State::ShutdownAckSent
                | State::Closed => 61,
            });
        }
        Self(of)
    }
}

impl Timeouts {
    /// IPVS's with these seconds for established TCP, TCP in FIN-WAIT and UDP; 0 keeps the default, as `ipvsadm --set`.
    pub fn with(tcp: u32, tcp_fin: u32, udp: u32) -> Self {
        let mut timeouts = Self::default();
        for (state, seconds) in [(State::Established, tcp), (State::FinWait, tcp_fin), (State::Udp, udp)] {
            if seconds > 0 {
                timeouts.0[state as usize] = ticks(seconds);
            }
        }
        timeouts
    }

    /// Ticks in `state`.
    #[inline]
    pub const fn of(&self, state: State) -> u32 {
        self.0[state as usize]
    }
}
