//! Man pages and completions of a program, from the definition by which it reads its own command line: they can't tell
//! anything else than the program does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

/// What belongs to a program, each file's path in a folder and its content: `man/NAME.SECTION` of the program and of each of
/// its subcommands, `bash/NAME`, `zsh/_NAME` and `fish/NAME.fish`. `section` is the manual's, as "1".
///
/// # Errors
///
/// None that is known: the text is made in memory.
pub fn files(mut command: Command, section: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    command.build();
    let mut files = Vec::new();
    pages(&command, section, &mut files)?;
    let name = command.get_name().to_owned();
    for (shell, path) in [
        (Shell::Bash, format!("bash/{name}")),
        (Shell::Zsh, format!("zsh/_{name}")),
        (Shell::Fish, format!("fish/{name}.fish")),
    ] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command, &name, &mut text);
        files.push((path.into(), text));
    }
    Ok(files)
}

/// Writes [`files`] below a folder, and makes what is missing of it.
///
/// # Errors
///
/// What the file system says, with the path.
pub fn write(command: Command, section: &str, folder: &Path) -> io::Result<()> {
    for (path, text) in files(command, section)? {
        let path = folder.join(path);
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(told)?;
        fs::write(&path, text).map_err(told)?;
    }
    Ok(())
}

/// The page of a command and those of its subcommands, without hidden ones and clap's own `help`.
fn pages(command: &Command, section: &str, files: &mut Vec<(PathBuf, Vec<u8>)>) -> io::Result<()> {
    let mut text = Vec::new();
    let page = Man::new(command.clone()).section(section).manual("ulvs");
    page.render(&mut text)?;
    files.push((Path::new("man").join(page.get_filename()), text));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        pages(sub, section, files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn a_page_for_each_command_and_a_completion_for_each_shell() {
        let command = Command::new("prog")
            .about("Does it.")
            .arg(Arg::new("loud").long("loud").help("Says so").global(true))
            .subcommand(Command::new("sub").about("A part of it.").subcommand(Command::new("deep")))
            .subcommand(Command::new("secret").hide(true));
        let files = files(command, "8").unwrap();
        let names: Vec<_> = files.iter().map(|(path, _)| path.to_str().unwrap()).collect();
        assert_eq!(
            names,
            ["man/prog.8", "man/prog-sub.8", "man/prog-sub-deep.8", "bash/prog", "zsh/_prog", "fish/prog.fish"]
        );
        let text = |at: usize| String::from_utf8_lossy(&files[at].1).into_owned();
        assert!(text(0).contains("Does it.") && text(0).contains("loud"), "{}", text(0));
        assert!(text(1).contains("prog\\-sub"), "{}", text(1));
        assert!((3..6).all(|at| text(at).contains("loud")));
    }
}
