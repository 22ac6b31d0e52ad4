//! What ulvsd has in the place of a file of `/proc/net`.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// How a listing ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All was said.
    Whole,
    /// ulvsd died, or had too many readers.
    Cut,
}

/// Tells everybody who connects this text, as long as the test runs.
pub(crate) fn tell(socket: &Path, text: &'static str, end: End) {
    let listener = UnixListener::bind(socket).expect("a socket");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.write_all(text.as_bytes());
            if end == End::Whole {
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let mut word = [0; 2];
                assert_eq!(stream.read(&mut word).expect("the library's word"), 1);
            } else {
                // until the word is there, unread
                nix::sys::socket::recv(
                    std::os::fd::AsRawFd::as_raw_fd(&stream),
                    &mut [0],
                    nix::sys::socket::MsgFlags::MSG_PEEK,
                )
                .expect("the library's word");
            }
        }
    });
}
