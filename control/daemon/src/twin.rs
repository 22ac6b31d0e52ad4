//! A TAP twin that may be set down, or removed, under the director. Trouble is told once, not for each frame.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use ulvs_kernel::Tap;

/// The exception path's end of a TAP.
pub(crate) struct Twin<'a> {
    tap: &'a Tap,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Good,
    /// It does not take frames now.
    Refusing,
    /// Somebody removed the interface.
    Gone,
}

impl<'a> Twin<'a> {
    pub(crate) fn new(tap: &'a Tap) -> Self {
        Self { tap, state: State::Good }
    }

    /// Whether the interface was removed: nothing will ever come of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Hands the kernel a frame; whether it took it.
    pub(crate) fn send(&mut self, frame: &[u8]) -> bool {
        if self.is_gone() {
            return false;
        }
        match self.tap.send(frame) {
            Ok(()) => {
                if self.state == State::Refusing {
                    self.state = State::Good;
                    let tap = self.tap.name();
                    tracing::info!(tap, state = "good", "the kernel takes frames on {tap} again");
                }
                true
            }
            // A frame the kernel can't make sense of says nothing about the TAP.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => false,
            Err(error) => {
                self.troubled(&error);
                false
            }
        }
    }

    /// The length of the kernel's next frame, if there is one.
    pub(crate) fn recv(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if self.is_gone() {
            return None;
        }
        self.tap.recv(buffer).unwrap_or_else(|error| {
            self.troubled(&error);
            None
        })
    }

    fn troubled(&mut self, error: &io::Error) {
        let name = self.tap.name();
        if error.raw_os_error() == Some(nix::errno::Errno::EBADFD as i32) {
            self.state = State::Gone;
            tracing::error!(
                tap = name,
                state = "gone",
                "the TAP {name} was removed, and its addresses, routes and neighbours with it: restart ulvsd to have it back"
            );
        } else if self.state == State::Good {
            self.state = State::Refusing;
            let state = "refusing";
            tracing::warn!(
                tap = name,
                state,
                "the kernel takes no frames on {name} ({error}): is it down? `ip link set {name} up`"
            );
        }
    }
}

impl AsFd for Twin<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tap.as_fd()
    }
}
