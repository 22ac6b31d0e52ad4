//! Man pages in roff, of what has no clap definition: a program's own `--help`, and the director's file.

use std::fmt::Write as _;

/// A page that shows what `--help` prints, as it is.
pub(super) fn of_help(name: &str, section: &str, version: &str, summary: &str, help: &str) -> String {
    let mut page = title(name, section, version);
    let _ = writeln!(page, ".SH NAME\n{} \\- {}", text(name), text(summary));
    literal(&mut page, "DESCRIPTION", help);
    page
}

/// The page of the file's format: what is `written` in roff, and the example with every key.
pub(super) fn of_file(name: &str, version: &str, written: &str, example: &str) -> String {
    let mut page = title(name, "5", version);
    page.push_str(written);
    // its last section is about what follows
    let _ = writeln!(page, ".PP\n.EX");
    lines(&mut page, example);
    let _ = writeln!(page, ".EE\n.SH SEE ALSO\n.BR ulvsd (8),\n.BR ulvsctl (1),\n.BR ulvs\\-run (1)");
    page
}

fn title(name: &str, section: &str, version: &str) -> String {
    format!(".TH \"{}\" {section} \"\" \"ulvs {version}\" \"ulvs\"\n", name.to_uppercase())
}

fn literal(page: &mut String, heading: &str, content: &str) {
    let _ = writeln!(page, ".SH {heading}\n.EX");
    lines(page, content);
    let _ = writeln!(page, ".EE");
}

fn lines(page: &mut String, content: &str) {
    for line in content.trim_end().lines() {
        // a dot or a quote at the beginning would be roff's
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        let _ = writeln!(page, "{guard}{}", text(line));
    }
}

fn text(line: &str) -> String {
    line.replace('\\', "\\e").replace('-', "\\-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_shown_as_it_is() {
        let page = of_help("a-b", "8", "1.2", "does it", "usage: a-b [--x]\n.hidden\n'quoted'\na\\b\n\n");
        assert!(page.starts_with(".TH \"A-B\" 8 \"\" \"ulvs 1.2\" \"ulvs\"\n.SH NAME\na\\-b \\- does it\n"), "{page}");
        assert!(page.ends_with("usage: a\\-b [\\-\\-x]\n\\&.hidden\n\\&'quoted'\na\\eb\n.EE\n"), "{page}");
    }

    #[test]
    fn the_file_has_all_of_its_example() {
        let page = of_file("x.toml", "1", ".SH EVERY KEY\n", "# a\n[b]\n");
        assert!(page.contains(".SH EVERY KEY\n.PP\n.EX\n# a\n[b]\n.EE\n"), "{page}");
    }
}
