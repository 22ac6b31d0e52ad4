//! Large arrays of zeroed memory that is taken only as it is touched.

use std::ops::Deref;

#[cfg(not(loom))]
use memmap2::{Advice, MmapMut};

/// Types for which all bytes zero is a valid value.
///
/// # Safety
/// Implement it only for types whose every field is an integer or an atomic integer.
#[expect(unsafe_code, reason = "the promise that makes a mapped array sound is made here, once a type")]
pub(crate) unsafe trait Zeroed: Default {}

/// A fixed array of `T`, zeroed, mapped rather than allocated: untouched pages cost nothing, huge pages are used where
/// the kernel has them, and nothing in it is a pointer.
#[derive(Debug)]
pub(crate) struct Region<T> {
    #[cfg(not(loom))]
    map: MmapMut,
    #[cfg(not(loom))]
    len: usize,
    #[cfg(loom)]
    values: Vec<T>,
    _of: std::marker::PhantomData<T>,
}

#[cfg(not(loom))]
impl<T: Zeroed> Region<T> {
    /// An array of `len` zeroed values.
    ///
    /// # Errors
    /// What the kernel says when it has no room for the mapping.
    pub(crate) fn new(len: usize) -> std::io::Result<Self> {
        let bytes = len.checked_mul(size_of::<T>()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        let map = MmapMut::map_anon(bytes.max(1))?;
        if bytes >= 1 << 21 {
            // Only a wish: without transparent huge pages the table works, with more TLB misses.
            let _ = map.advise(Advice::HugePage);
        }
        Ok(Self { map, len, _of: std::marker::PhantomData })
    }

    /// Takes the memory of these values from the kernel now, for who uses them first not to wait for it. They stay as they
    /// are. Kernels before 5.14 can't; then it is taken when it is used.
    pub(crate) fn take(&self, values: std::ops::Range<usize>) {
        let (from, until) = (values.start * size_of::<T>(), values.end.min(self.len) * size_of::<T>());
        if from < until {
            let _ = self.map.advise_range(Advice::PopulateWrite, from, until - from);
        }
    }
}

#[cfg(not(loom))]
impl<T: Zeroed> Deref for Region<T> {
    type Target = [T];

    #[inline]
    #[expect(unsafe_code, reason = "the one place where mapped bytes become values")]
    fn deref(&self) -> &[T] {
        const { assert!(align_of::<T>() <= 4096, "mappings are aligned to pages") };
        // SAFETY: the mapping is page-aligned, holds `len * size_of::<T>()` bytes, lives as long as `self`, and is only ever
        // read as `[T]`; zeroed bytes are valid for `T: Zeroed`, and all changes to them go through atomics.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<T>(), self.len) }
    }
}

#[cfg(loom)]
impl<T: Zeroed> Region<T> {
    pub(crate) fn new(len: usize) -> std::io::Result<Self> {
        Ok(Self { values: (0..len).map(|_| T::default()).collect(), _of: std::marker::PhantomData })
    }

    pub(crate) fn take(&self, _: std::ops::Range<usize>) {}
}

#[cfg(loom)]
impl<T: Zeroed> Deref for Region<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values
    }
}

#[expect(unsafe_code, reason = "an atomic integer")]
// SAFETY: zero is a value of every integer.
unsafe impl Zeroed for crate::sync::atomic::AtomicU64 {}
