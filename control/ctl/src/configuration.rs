//! The director's files: what following them would do, following them, and going back.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use ulvs_api::{Applied, ApplyRequest, Client, RollbackRequest, Version, path};
use ulvs_config::Files;

use crate::table::Align::{Left, Right};
use crate::table::Table;
use crate::units::date;

/// Files with many services take their time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a director's answer goes, and how.
pub(crate) struct Told<'a, W> {
    pub(crate) client: Client,
    pub(crate) json: bool,
    pub(crate) out: &'a mut W,
}

impl<W: Write> Told<'_, W> {
    /// What `apply` would do.
    pub(crate) fn diff(self, reset: bool) -> Result<()> {
        let target = format!("{}?reset={reset}", path::DIFF);
        let text = self.client.clone().with_timeout(PATIENCE).get_text(&target)?;
        self.show(&text, "no changes")
    }

    /// Follows the files.
    pub(crate) fn apply(self, reset: bool) -> Result<()> {
        let client = self.client.clone().with_timeout(PATIENCE);
        let text = client.post_text(path::APPLY, &ApplyRequest { reset })?;
        self.show(&text, "no changes")
    }

    /// Follows an earlier version of the files, and puts it in their place.
    pub(crate) fn roll_back(self, version: Option<u64>) -> Result<()> {
        let client = self.client.clone().with_timeout(PATIENCE);
        let text = client.post_text(path::ROLLBACK, &RollbackRequest { version })?;
        self.show(&text, "no services changed")
    }

    /// Lists the versions.
    pub(crate) fn versions(self) -> Result<()> {
        let text = self.client.get_text(path::VERSIONS)?;
        if self.json {
            writeln!(self.out, "{text}")?;
        } else {
            write!(self.out, "{}", listing(&self.client.read::<Vec<Version>>(&text)?))?;
        }
        Ok(())
    }

    fn show(self, text: &str, nothing: &str) -> Result<()> {
        if self.json {
            writeln!(self.out, "{text}")?;
            return Ok(());
        }
        write!(self.out, "{}", render(&self.client.read(text)?, nothing))?;
        Ok(())
    }
}

/// Reads files as ulvsd would, without it.
pub(crate) fn check(file: &Path, out: &mut impl Write) -> Result<()> {
    let files = Files::read(file).map_err(|report| anyhow!("{}", report.trim_end()))?;
    let director = files.parse().map_err(|report| anyhow!("the files have errors:\n{}", report.trim_end()))?;
    let services = match director.services().len() {
        1 => "1 service".to_owned(),
        many => format!("{many} services"),
    };
    writeln!(out, "{}: no errors ({services})", file.display())?;
    Ok(())
}

fn render(applied: &Applied, nothing: &str) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    applied.changes.iter().for_each(|change| line(change));
    if applied.changes.is_empty() {
        line(nothing);
    }
    applied.restart.iter().for_each(|sentence| line(&format!("! {sentence}")));
    if applied.deviations > 0 {
        let entries = if applied.deviations == 1 { "1 entry" } else { &format!("{} entries", applied.deviations) };
        line(&format!("! as others made them, not as the file says: {entries}; --reset makes them as the file says"));
    }
    if let Some(version) = applied.version {
        line(&format!("version {version}"));
    }
    text
}

fn listing(versions: &[Version]) -> String {
    if versions.is_empty() {
        return "no versions\n".to_owned();
    }
    let mut table = Table::new([("VERSION", Right), ("TIME (UTC)", Left), ("DROP-INS", Right), ("BY", Left)]);
    for version in versions {
        table.row([
            version.number.to_string(),
            date(version.seconds),
            version.drop_ins.to_string(),
            version.who.clone(),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_line_by_line() {
        let applied = Applied {
            changes: vec!["- tcp 192.0.2.1:80".into()],
            restart: vec!["`cores` of [workers] changed: restart ulvsd for it to take effect".into()],
            deviations: 1,
            version: Some(7),
        };
        let expected = "- tcp 192.0.2.1:80\n\
                        ! `cores` of [workers] changed: restart ulvsd for it to take effect\n\
                        ! as others made them, not as the file says: 1 entry; --reset makes them as the file says\n\
                        version 7\n";
        assert_eq!(render(&applied, "no changes"), expected);
        assert_eq!(render(&Applied::default(), "no changes"), "no changes\n");
    }

    #[test]
    fn versions_are_listed_oldest_first() {
        let version = Version { number: 12, seconds: 1_700_000_000, who: "root by the API".into(), drop_ins: 3 };
        let expected =
            "VERSION  TIME (UTC)           DROP-INS  BY\n     12  2023-11-14 22:13:20         3  root by the API\n";
        assert_eq!(listing(&[version]), expected);
        assert_eq!(listing(&[]), "no versions\n");
    }
}
