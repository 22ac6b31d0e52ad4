//! What FTP's control connections say of data connections to come (ipvs-facts C.9; RFC 959, RFC 2428).
//!
//! Bytes in, meaning out: no packet, no connection is known here.

mod command;
mod number;
mod reply;

pub(crate) use command::{Command, last_command};
pub(crate) use reply::announced;

/// How a client asked for the port of a data connection that it is going to open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Passive {
    /// `PASV`: the reply 227 names address and port.
    Pasv,
    /// `EPSV`: the reply 229 names the port.
    Epsv,
}
