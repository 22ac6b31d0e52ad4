/// What a client may do. Anyone may resolve the family.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Access {
    /// Nothing of IPVS, as a client without `CAP_NET_ADMIN` at a kernel.
    None,
    /// The commands that only tell.
    Read,
    /// Every command.
    Full,
}
