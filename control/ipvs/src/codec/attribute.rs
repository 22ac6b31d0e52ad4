use crate::Errno;

/// Bits of an attribute's type that are its number; the others say "nested" and "network order", which IPVS ignores.
const KIND: u16 = 0x3fff;

/// One attribute: its number and what it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'a> {
    pub(super) kind: u16,
    payload: &'a [u8],
}

/// The attributes in a piece of a message, as far as they are whole. What follows a broken one is ignored, as the kernel
/// does with families as old as IPVS.
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (header, _) = self.0.split_first_chunk::<4>()?;
        let [length_low, length_high, kind_low, kind_high] = *header;
        let length = usize::from(u16::from_ne_bytes([length_low, length_high]));
        let payload = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind: u16::from_ne_bytes([kind_low, kind_high]) & KIND, payload })
    }
}

impl<'a> Attribute<'a> {
    /// A number's bytes: more are ignored, fewer are an error.
    pub(super) fn number<const N: usize>(&self) -> Result<[u8; N], Errno> {
        self.payload.first_chunk().copied().ok_or(Errno::Invalid)
    }

    pub(super) fn u8(&self) -> Result<u8, Errno> {
        self.number().map(u8::from_ne_bytes)
    }

    pub(super) fn u16(&self) -> Result<u16, Errno> {
        self.number().map(u16::from_ne_bytes)
    }

    /// A port, which travels in network order.
    pub(super) fn port(&self) -> Result<u16, Errno> {
        self.number().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&self) -> Result<u32, Errno> {
        self.number().map(u32::from_ne_bytes)
    }

    /// A structure's bytes: missing ones are zero, more are an error.
    pub(super) fn structure<const N: usize>(&self) -> Result<[u8; N], Errno> {
        let mut bytes = [0; N];
        bytes.get_mut(..self.payload.len()).ok_or(Errno::Invalid)?.copy_from_slice(self.payload);
        Ok(bytes)
    }

    /// A string that ends with a NUL and has at most `longest` bytes before the payload's last.
    pub(super) fn text(&self, longest: usize) -> Result<String, Errno> {
        let length = self.payload.strip_suffix(&[0]).unwrap_or(self.payload).len();
        let end = self.payload.iter().position(|byte| *byte == 0).ok_or(Errno::Invalid)?;
        if length > longest {
            return Err(Errno::Invalid);
        }
        // names that exist are ASCII, so what is lost here is unknown before and after
        Ok(String::from_utf8_lossy(self.payload.get(..end).unwrap_or_default()).into_owned())
    }

    /// The attributes in this one. An empty one has none; one too short for a header is an error.
    pub(super) const fn nested(&self) -> Result<Attributes<'a>, Errno> {
        match self.payload.len() {
            1..=3 => Err(Errno::Invalid),
            _ => Ok(Attributes::new(self.payload)),
        }
    }
}
