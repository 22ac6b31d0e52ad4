use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use nix::libc::O_NOFOLLOW;
use nix::unistd::geteuid;

use crate::words::said;

/// The least characters of a token: guessing takes for ever.
const SHORTEST: usize = 32;
/// More is no token.
const LONGEST: usize = 1024;

/// What lets a viewer change something.
pub(crate) struct Token {
    text: String,
    file: PathBuf,
}

impl Token {
    /// The token in a file; a new one in a new file if it is not there.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let shown = path.display();
        let file = path.to_owned();
        match File::options().read(true).custom_flags(O_NOFOLLOW).open(path) {
            Ok(open) => Ok(Self { text: read(open, path)?, file }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = made(path).map_err(|error| {
                    anyhow!(
                        "{shown} can't be made ({error}): make its folder, or choose another `token_file` in [console]"
                    )
                })?;
                tracing::info!("{shown} is made, with the console's token in it");
                Ok(Self { text, file })
            }
            Err(error) => bail!("{shown} can't be read ({}): choose another `token_file` in [console]", said(&error)),
        }
    }

    /// Whether it is this one, in a time that tells nothing of it.
    pub(crate) fn is(&self, said: &[u8]) -> bool {
        let own = self.text.as_bytes();
        let mut difference = u8::from(own.len() != said.len());
        for (place, byte) in own.iter().enumerate() {
            difference |= byte ^ said.get(place).copied().unwrap_or(0);
        }
        std::hint::black_box(difference) == 0
    }

    #[cfg(test)]
    pub(super) fn for_tests(text: &str) -> Self {
        Self { text: text.to_owned(), file: PathBuf::new() }
    }

    /// Where it is.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}

fn read(mut file: File, path: &Path) -> Result<String> {
    let shown = path.display();
    let found = file.metadata()?;
    if !found.is_file() || found.uid() != geteuid().as_raw() || found.mode() & 0o077 != 0 {
        bail!("{shown} is not for ulvsd's user alone: `chown` it to the user, `chmod 600` it, and make a new token");
    }
    let mut text = String::new();
    let most = LONGEST as u64 + 1;
    let read = Read::by_ref(&mut file).take(most).read_to_string(&mut text);
    let token = text.trim();
    let is_printable = token.bytes().all(|byte| byte.is_ascii_graphic());
    if read.is_err() || !(SHORTEST..=LONGEST).contains(&token.len()) || !is_printable {
        bail!(
            "{shown} has no token of {SHORTEST} to {LONGEST} letters, digits and signs in one line: remove the file, and ulvsd \
             makes one"
        );
    }
    Ok(token.to_owned())
}

fn made(path: &Path) -> Result<String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    let text = secret.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ulvs-console-{}-{name}", std::process::id()));
            let _was_absent = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_token_is_made_once_and_for_ulvsd_alone() {
        let folder = Folder::new("made");
        let path = folder.0.join("token");
        let made = Token::of(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let again = Token::of(&path).unwrap();
        assert_eq!((made.text.len(), made.text.as_str()), (64, again.text.as_str()));
        assert!(made.is(again.text.as_bytes()));
    }

    #[test]
    fn only_the_whole_token_is_it() {
        let folder = Folder::new("whole");
        let token = Token::of(&folder.0.join("token")).unwrap();
        let mut longer = token.text.clone().into_bytes();
        longer.push(0);
        let mut other = token.text.clone().into_bytes();
        other[63] ^= 1;
        for wrong in [&b""[..], &token.text.as_bytes()[..63], &longer, &other, &[0; 64]] {
            assert!(!token.is(wrong));
        }
    }

    #[test]
    fn a_file_that_others_read_or_that_is_no_token_is_refused() {
        let folder = Folder::new("refused");
        let path = folder.0.join("token");
        let refused = |mode, text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Token::of(&path).err().map(|error| error.to_string())
        };
        let good = "0123456789abcdef0123456789abcdef\n";
        assert_eq!(refused(0o600, good), None);
        assert!(refused(0o640, good).unwrap().contains("chmod 600"));
        for text in ["", "short\n", "0123456789abcdef 0123456789abcdef", &"x".repeat(2000)] {
            assert!(refused(0o600, text).unwrap().contains("remove the file"), "{text}");
        }
        symlink("/dev/zero", folder.0.join("link")).unwrap();
        assert!(Token::of(&folder.0.join("link")).is_err());
        assert!(Token::of(&folder.0.join("absent/token")).err().unwrap().to_string().contains("can't be made"));
    }
}
