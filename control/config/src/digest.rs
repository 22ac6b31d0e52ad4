use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// An MD5 sum: of a page, as keepalived's `digest`, or of the director's files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest(pub [u8; 16]);

/// 32 hexadecimal digits, as `genhash` prints.
impl Display for Digest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is no MD5 sum.
#[derive(Debug, Eq, PartialEq)]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let is_right = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let sum = u128::from_str_radix(text, 16).map_err(|_| NoDigest)?;
        if is_right { Ok(Self(sum.to_be_bytes())) } else { Err(NoDigest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_32_digits_of_any_case() {
        let sum = "0123456789ABCDEFfedcba9876543210".parse::<Digest>().unwrap();
        assert_eq!((sum.0[1], sum.0[15]), (0x23, 0x10));
        assert_eq!(sum.to_string(), "0123456789abcdeffedcba9876543210");
        for wrong in ["", "+123456789abcdef0123456789abcdef", "0123", "0123456789abcdef0123456789abcdefa"] {
            assert_eq!(wrong.parse::<Digest>(), Err(NoDigest), "{wrong}");
        }
    }
}
