//! Numbers and the system's words in sentences.

use std::io;

/// `1 port`, `2 ports`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// What the system says, without the number that Rust adds.
pub(crate) fn said(error: &io::Error) -> String {
    let error = error.to_string();
    error.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{counted, said};

    #[test]
    fn numbers_of_errors_are_left_out() {
        assert_eq!(said(&std::io::Error::from_raw_os_error(13)), "Permission denied");
        assert_eq!(said(&std::io::Error::other("broken")), "broken");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "port")), ["0 ports", "1 port", "2 ports"]);
    }
}
