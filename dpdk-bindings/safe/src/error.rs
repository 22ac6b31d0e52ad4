//! DPDK's error numbers.

#![expect(unsafe_code, reason = "rte_errno and rte_strerror are C")]

use std::{ffi::CStr, fmt};

use dpdk_sys as sys;

/// An error number of DPDK: the system's `errno` values, and a few of its own above 1000.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// No such device or entry.
    pub const ENOENT: Self = Self(2);
    /// No memory, or not enough of it on the wanted socket.
    pub const ENOMEM: Self = Self(12);
    /// Not permitted for this user.
    pub const EACCES: Self = Self(13);
    /// An argument that the device or DPDK refuses.
    pub const EINVAL: Self = Self(22);
    /// The driver does not implement it.
    pub const ENOTSUP: Self = Self(95);

    /// The number itself, positive.
    pub fn number(self) -> i32 {
        self.0
    }

    /// What the last failed call of this thread left in `rte_errno`.
    pub(crate) fn last() -> Self {
        // SAFETY: reads a thread-local integer.
        Self(unsafe { sys::dpdk_errno() })
    }

    /// Of a C function that returns a negative number for an error and something else for success.
    pub(crate) fn check(returned: i32) -> Result<u32, Self> {
        u32::try_from(returned).map_err(|_| Self(returned.wrapping_neg()))
    }

    /// As [`Errno::check`], for what a driver need not implement: `false` when it does not.
    pub(crate) fn supported(returned: i32) -> Result<bool, Self> {
        match Self::check(returned) {
            Ok(_) => Ok(true),
            // ENOSYS and EOPNOTSUPP are what some drivers say instead of ENOTSUP.
            Err(Self(38 | 95)) => Ok(false),
            Err(errno) => Err(errno),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: returns a pointer to a static or thread-local string for every number.
        let text = unsafe { sys::rte_strerror(self.0) };
        if text.is_null() {
            return write!(f, "error {}", self.0);
        }
        // SAFETY: a terminated string that stays until this thread's next call.
        f.write_str(&unsafe { CStr::from_ptr(text) }.to_string_lossy())
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errno({}: {self})", self.0)
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returned_numbers_become_errors_by_their_sign() {
        assert_eq!(Errno::check(3), Ok(3));
        assert_eq!(Errno::check(-22), Err(Errno::EINVAL));
        assert_eq!(Errno::supported(0), Ok(true));
        assert_eq!(Errno::supported(-95), Ok(false));
        assert_eq!(Errno::supported(-12), Err(Errno::ENOMEM));
    }

    #[test]
    fn numbers_have_words() {
        assert_eq!(Errno::EINVAL.to_string(), "Invalid argument");
        assert_eq!(format!("{:?}", Errno::ENOMEM), "Errno(12: Cannot allocate memory)");
    }
}
