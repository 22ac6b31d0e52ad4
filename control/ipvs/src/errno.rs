use std::fmt;

/// The error numbers IPVS answers with (ipvs-facts E.3, E.6).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(i32)]
pub enum Errno {
    /// EPERM: the client may not.
    NotPermitted = 1,
    /// ENOENT: unknown family, scheduler, persistence engine or destination.
    NoEntry = 2,
    /// ESRCH: unknown service, or a sync daemon that doesn't run.
    NoSuch = 3,
    /// EIO: the datapath failed at it.
    Io = 5,
    /// ENOMEM: no memory for it.
    NoMemory = 12,
    /// EEXIST: it is there already.
    Exists = 17,
    /// ENODEV: unknown interface.
    NoDevice = 19,
    /// EINVAL: an attribute is missing or its value is wrong.
    Invalid = 22,
    /// ERANGE: weight or threshold out of range.
    Range = 34,
    /// EOPNOTSUPP: no such command, or not this way.
    NotSupported = 95,
    /// EAFNOSUPPORT: neither IPv4 nor IPv6.
    AddressFamily = 97,
}

impl Errno {
    /// The number, as `errno` has it.
    pub const fn number(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotPermitted => "EPERM",
            Self::NoEntry => "ENOENT",
            Self::NoSuch => "ESRCH",
            Self::Io => "EIO",
            Self::NoMemory => "ENOMEM",
            Self::Exists => "EEXIST",
            Self::NoDevice => "ENODEV",
            Self::Invalid => "EINVAL",
            Self::Range => "ERANGE",
            Self::NotSupported => "EOPNOTSUPP",
            Self::AddressFamily => "EAFNOSUPPORT",
        })
    }
}

/// A change that was not made: the number for the client, and for the log a sentence if IPVS's rules didn't decide.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", self.reason.as_deref().unwrap_or("refused by IPVS's rules"))]
pub struct Refusal {
    /// What the client is told.
    pub errno: Errno,
    /// What is wrong and the remedy, for the log. None where a kernel would have said the same number: that is the
    /// client's affair.
    pub reason: Option<String>,
}

impl Refusal {
    /// A refusal of the datapath's own, which the log explains.
    pub fn because(errno: Errno, reason: impl Into<String>) -> Self {
        Self { errno, reason: Some(reason.into()) }
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno, reason: None }
    }
}
