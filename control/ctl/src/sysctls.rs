//! `ulvsctl get` and `set`: IPVS's switches.

use std::io::Write;

use anyhow::{Result, bail};
use ulvs_api::{Client, SysctlRequest, SysctlStatus};

use crate::table::Align::Left;
use crate::table::Table;

/// One value as its file has it, or all of them for people.
pub(crate) fn get(client: &Client, name: Option<&str>, out: &mut impl Write) -> Result<()> {
    let sysctls = client.sysctls()?;
    match name.map(bare) {
        None => write!(out, "{}", render(&sysctls))?,
        Some(name) => match sysctls.iter().find(|one| one.name == name) {
            Some(one) => writeln!(out, "{}", one.value)?,
            None => bail!("there is no sysctl {name}: `ulvsctl get` lists them"),
        },
    }
    Ok(())
}

/// Sets one.
pub(crate) fn set(client: &Client, name: &str, value: &[String], out: &mut impl Write) -> Result<()> {
    let request = SysctlRequest { name: bare(name).to_owned(), value: value.join(" ") };
    let changed = client.set_sysctl(&request)?;
    if changed.changes.is_empty() {
        writeln!(out, "{} is {} already", request.name, request.value)?;
    }
    for line in changed.changes {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// As scripts name them: `net.ipv4.vs.conn_reuse_mode`.
fn bare(name: &str) -> &str {
    name.strip_prefix("net.ipv4.vs.").unwrap_or(name)
}

fn render(sysctls: &[SysctlStatus]) -> String {
    let mut table = Table::new([("NAME", Left), ("VALUE", Left), ("DEFAULT", Left), ("EDITED", Left)]);
    for one in sysctls {
        let edited = if one.edited { "since the file was followed" } else { "" };
        table.row([one.name.to_string(), one.value.clone(), one.default.clone(), edited.to_owned()]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_beside_the_file_is_told() {
        let one = |name: &'static str, value: &str, edited| SysctlStatus {
            name: name.into(),
            value: value.to_owned(),
            default: "1".to_owned(),
            edited,
        };
        let expected = "\
NAME             VALUE  DEFAULT  EDITED
conn_reuse_mode  0      1        since the file was followed
run_estimation   1      1
";
        assert_eq!(render(&[one("conn_reuse_mode", "0", true), one("run_estimation", "1", false)]), expected);
        assert_eq!(bare("net.ipv4.vs.drop_entry"), bare("drop_entry"));
    }
}
