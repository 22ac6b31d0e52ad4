//! As much of ELF as tells whether the loader would preload a library for a program.

/// What a file is to the loader.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A script, or something else that the kernel has another program run.
    Other,
    /// For this machine (class, byte order, processor), and whether it names a loader.
    Program { machine: [u8; 4], dynamic: bool },
}

const PT_INTERP: u32 = 3;

/// Reads the beginning of a file. Headers that lie behind it count as dynamic: nothing is refused for not being seen.
pub(crate) fn kind(file: &[u8]) -> Kind {
    let (Some(&[b'\x7f', b'E', b'L', b'F', class, order]), Some(&[low, high])) =
        (file.first_chunk::<6>(), file.get(18..).and_then(|rest| rest.first_chunk::<2>()))
    else {
        return Kind::Other;
    };
    let machine = [class, order, low, high];
    // program headers of other classes are not read: the class alone says enough
    let dynamic = class != 2 || has_loader(file).unwrap_or(true);
    Kind::Program { machine, dynamic }
}

fn has_loader(file: &[u8]) -> Option<bool> {
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = file.get(at..at.checked_add(length)?)?;
        let fold = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
        Some(if file.get(5) == Some(&1) { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) })
    };
    let start = usize::try_from(number(32, 8)?).ok()?;
    let (size, count) = (usize::try_from(number(54, 2)?).ok()?, number(56, 2)?);
    for index in 0..usize::try_from(count).ok()? {
        let at = start.checked_add(size.checked_mul(index)?)?;
        if number(at, 4)? == u64::from(PT_INTERP) {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 64-bit little-endian program of x86-64 with these program headers.
    fn program(headers: &[u32]) -> Vec<u8> {
        let mut file = vec![0; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[18] = 62;
        file[32] = 64;
        file[54] = 56;
        file[56] = u8::try_from(headers.len()).expect("few headers");
        for header in headers {
            file.extend(header.to_le_bytes());
            file.extend([0; 52]);
        }
        file
    }

    #[test]
    fn a_program_with_a_loader_is_dynamic() {
        let machine = [2, 1, 62, 0];
        assert_eq!(kind(&program(&[6, 3, 1])), Kind::Program { machine, dynamic: true });
        assert_eq!(kind(&program(&[1, 1])), Kind::Program { machine, dynamic: false });
    }

    #[test]
    fn scripts_and_pieces_are_not_refused() {
        assert_eq!(kind(b"#!/bin/sh\n"), Kind::Other);
        assert_eq!(kind(b""), Kind::Other);
        let whole = program(&[1, 3]);
        for length in 0..whole.len() {
            assert!(!matches!(kind(&whole[..length]), Kind::Program { dynamic: false, .. }), "{length}");
        }
    }
}
