use std::fmt;
use std::str::FromStr;

/// The MAC address of one station: neither a group's nor all zero.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Mac([u8; 6]);

/// Why a text is not the MAC address of one station.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MacError {
    /// Not six pairs of hexadecimal digits.
    #[error("\"{0}\" is not a MAC address: write six pairs of hexadecimal digits, as 02:00:00:00:00:01")]
    Syntax(String),
    /// The group bit is set.
    #[error("{0} is the address of a group: a MAC address of one station has an even first byte")]
    Group(String),
    /// All bytes are zero.
    #[error("00:00:00:00:00:00 is nobody's MAC address")]
    Zero,
}

impl Mac {
    /// The six bytes, in the order of the wire.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let syntax = || MacError::Syntax(text.to_owned());
        let mut octets = [0; 6];
        let mut pairs = text.split(':');
        for octet in &mut octets {
            let pair = pairs.next().ok_or_else(syntax)?;
            if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(syntax());
            }
            *octet = u8::from_str_radix(pair, 16).map_err(|_| syntax())?;
        }
        if pairs.next().is_some() {
            return Err(syntax());
        }
        if octets[0] & 1 == 1 {
            return Err(MacError::Group(text.to_owned()));
        }
        if octets == [0; 6] {
            return Err(MacError::Zero);
        }
        Ok(Self(octets))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, octet) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ":" };
            write!(f, "{separator}{octet:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_is_read_and_written_the_same() {
        let mac: Mac = "02:00:00:00:00:Fe".parse().unwrap();
        assert_eq!(mac.octets(), [2, 0, 0, 0, 0, 0xfe]);
        assert_eq!(mac.to_string(), "02:00:00:00:00:fe");
    }

    #[test]
    fn groups_zeros_and_other_spellings_are_refused() {
        for bad in
            ["", "02:00:00:00:00", "02:00:00:00:00:01:02", "2:0:0:0:0:1", "02-00-00-00-00-01", "+2:00:00:00:00:01"]
        {
            assert_eq!(bad.parse::<Mac>(), Err(MacError::Syntax(bad.to_owned())), "{bad}");
        }
        assert!(matches!("01:00:5e:00:00:01".parse::<Mac>(), Err(MacError::Group(_))));
        assert_eq!("00:00:00:00:00:00".parse::<Mac>(), Err(MacError::Zero));
    }
}
