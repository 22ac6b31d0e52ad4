//! QEMU's machine protocol (QMP): JSON, one document a line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Plugs the cable of a NIC in or out.
pub(super) fn set_link(socket: &Path, nic: &str, up: bool) -> Result<()> {
    let mut stream = UnixStream::connect(socket)
        .with_context(|| format!("cannot reach QEMU by {}: is the guest up?", socket.display()))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut greeting = String::new();
    reader.read_line(&mut greeting)?;
    let commands = [
        json!({ "execute": "qmp_capabilities" }),
        json!({ "execute": "set_link", "arguments": { "name": nic, "up": up } }),
    ];
    for command in commands {
        writeln!(stream, "{command}")?;
        answer(&mut reader).with_context(|| format!("QEMU refuses {command}"))?;
    }
    Ok(())
}

/// The answer to a command; what QEMU tells of its own accord is passed over.
fn answer(reader: &mut impl std::io::BufRead) -> Result<()> {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            bail!("QEMU is gone");
        }
        let said: Value = serde_json::from_str(&line)?;
        if said.get("return").is_some() {
            return Ok(());
        }
        if let Some(error) = said.get("error") {
            bail!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_passed_over_and_errors_told() {
        assert!(answer(&mut "{\"event\": \"RESUME\"}\n{\"return\": {}}\n".as_bytes()).is_ok());
        let error = answer(&mut "{\"error\": {\"desc\": \"no such NIC\"}}\n".as_bytes()).unwrap_err();
        assert!(error.to_string().contains("no such NIC"));
        assert!(answer(&mut "".as_bytes()).is_err());
    }
}
