/// The state of a connection, by IPVS's numbers for TCP (ipvs-facts B.3); UDP has one of its own, and SCTP has more, in the order of
/// IPVS's (B.4).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum State {
    /// Before the first packet.
    None = 0,
    /// TCP: established.
    Established = 1,
    /// TCP: the server opened.
    SynSent = 2,
    /// TCP: the client opened.
    SynRecv = 3,
    /// TCP: one side closed.
    FinWait = 4,
    /// TCP: both sides closed.
    TimeWait = 5,
    /// TCP: reset or out of order.
    Close = 6,
    /// TCP: the client closed first.
    CloseWait = 7,
    /// TCP: the last acknowledgement is awaited.
    LastAck = 8,
    /// TCP: made ahead of its first packet.
    Listen = 9,
    /// TCP: half open under `secure_tcp`.
    SynAck = 10,
    /// UDP.
    Udp = 11,
    /// SCTP: a first INIT came.
    Init1 = 12,
    /// SCTP: another INIT came.
    Init = 13,
    /// SCTP: the server gave a cookie.
    CookieSent = 14,
    /// SCTP: the client gave the cookie back.
    CookieReplied = 15,
    /// SCTP: the server asks, or the client gave a cookie.
    CookieWait = 16,
    /// SCTP: both sides gave a cookie.
    Cookie = 17,
    /// SCTP: the server gave the cookie back.
    CookieEchoed = 18,
    /// SCTP: established.
    Associated = 19,
    /// SCTP: the server shuts down.
    ShutdownSent = 20,
    /// SCTP: the client shuts down.
    ShutdownReceived = 21,
    /// SCTP: the shutdown is acknowledged.
    ShutdownAckSent = 22,
    /// SCTP: aborted before it began.
    Rejected = 23,
    /// SCTP: over.
    Closed = 24,
}

impl State {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 25] = [
        Self::None,
        Self::Established,
        Self::SynSent,
        Self::SynRecv,
        Self::FinWait,
        Self::TimeWait,
        Self::Close,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::SynAck,
        Self::Udp,
        Self::Init1,
        Self::Init,
        Self::CookieSent,
        Self::CookieReplied,
        Self::CookieWait,
        Self::Cookie,
        Self::CookieEchoed,
        Self::Associated,
        Self::ShutdownSent,
        Self::ShutdownReceived,
        Self::ShutdownAckSent,
        Self::Rejected,
        Self::Closed,
    ];

    /// Its number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The state with this number; [`State::None`] for numbers there is no state for.
    #[inline]
    pub const fn from_number(number: u8) -> Self {
        // The compiler makes this a comparison; a table would be a load.
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 => Self::SynRecv,
            4 => Self::FinWait,
            5 => Self::TimeWait,
            6 => Self::Close,
            7 => Self::CloseWait,
            8 => Self::LastAck,
            9 => Self::Listen,
            10 => Self::SynAck,
            11 => Self::Udp,
            12 => Self::Init1,
            13 => Self::Init,
            14 => Self::CookieSent,
            15 => Self::CookieReplied,
            16 => Self::CookieWait,
            17 => Self::Cookie,
            18 => Self::CookieEchoed,
            19 => Self::Associated,
            20 => Self::ShutdownSent,
            21 => Self::ShutdownReceived,
            22 => Self::ShutdownAckSent,
            23 => Self::Rejected,
            24 => Self::Closed,
            _ => Self::None,
        }
    }

    /// The name `ipvsadm -Lnc` prints.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Established | Self::Associated => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::FinWait => "FIN_WAIT",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
            Self::SynAck => "SYNACK",
            Self::Udp => "UDP",
            Self::Init1 => "INIT1",
            Self::Init => "INIT",
            Self::CookieSent => "C-SENT",
            Self::CookieReplied => "C-REPLIED",
            Self::CookieWait => "C-WAIT",
            Self::Cookie => "COOKIE",
            Self::CookieEchoed => "C-ECHOED",
            Self::ShutdownSent => "S-SENT",
            Self::ShutdownReceived => "S-RECEIVED",
            Self::ShutdownAckSent => "S-ACK-SENT",
            Self::Rejected => "REJECTED",
            Self::Closed => "CLOSED",
        }
    }

    /// Whether connections in it count as active.
    #[inline]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Established | Self::SynSent | Self::SynRecv | Self::SynAck | Self::Associated)
    }

    /// Whether one side has closed, or both.
    pub const fn is_closing(self) -> bool {
        matches!(
            self,
            Self::FinWait
                | Self::TimeWait
                | Self::Close
                | Self::CloseWait
                | Self::LastAck
                | Self::ShutdownSent
                | Self::ShutdownReceived
                | Self::ShutdownAckSent
                | Self::Rejected
                | Self::Closed
        )
    }

    /// Whether both sides have opened.
    pub const fn is_established(self) -> bool {
        matches!(self, Self::Established | Self::Associated)
    }
}
