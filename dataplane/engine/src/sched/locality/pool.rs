//! Memory for a fixed number of values, of which places are taken and given back.

/// The end of a list of places.
pub(super) const END: u32 = u32::MAX;

/// Places of a fixed number.
#[derive(Debug)]
pub(super) struct Pool<T> {
    places: Vec<T>,
    free: Vec<u32>,
    most: usize,
}

impl<T> Pool<T> {
    /// With its memory reserved; it is taken as it is used.
    pub(super) fn new(most: usize) -> Self {
        Self { places: Vec::with_capacity(most), free: Vec::with_capacity(most), most }
    }

    pub(super) const fn used(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// What is at a place; `None` at the [`END`].
    #[inline]
    pub(super) fn get(&self, at: u32) -> Option<&T> {
        self.places.get(at as usize)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.places.get_mut(at as usize)
    }

    /// Whether no place can be taken.
    pub(super) const fn is_full(&self) -> bool {
        self.used() == self.most
    }

    /// Takes a place, if there is one. Allocates nothing.
    pub(super) fn take(&mut self, value: T) -> Option<u32> {
        if let Some(at) = self.free.pop() {
            self.places[at as usize] = value;
            return Some(at);
        }
        if self.places.len() == self.most {
            return None;
        }
        self.places.push(value);
        u32::try_from(self.places.len() - 1).ok()
    }

    pub(super) fn give(&mut self, at: u32) {
        self.free.push(at);
    }
}
