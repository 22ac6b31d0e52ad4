use ulvs_model::ServiceKey;

/// How many connections one source may begin: an IPv4 address, or a /64 of IPv6.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SourceLimit {
    /// As many as it likes.
    #[default]
    Unlimited,
    /// So many.
    Limited {
        /// A second.
        rate: u32,
        /// At once.
        burst: u32,
    },
}

impl SourceLimit {
    /// The highest rate.
    pub const MOST: u32 = 100_000;

    /// The most at once with this rate: what comes in an hour.
    pub const fn most_at_once(rate: u32) -> u32 {
        rate.saturating_mul(60 * 60)
    }
}

/// How many connections sources may begin.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceLimits {
    /// To all services that say nothing else, together.
    pub all: SourceLimit,
    /// To services that say how many, each for itself.
    pub own: Vec<(ServiceKey, SourceLimit)>,
}
