//! A shell that stays, on the other end of a stream: in the guest by a serial port, in a namespace by a socket pair. Each
//! command's words and status come back between two marks.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What a command said, standard error too, and its exit status (124: it took too long).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: i32,
    pub(crate) words: String,
}

impl Answer {
    /// The words of a command that succeeded.
    pub(crate) fn ok(self) -> Result<String> {
        if self.status != 0 {
            bail!("a command ended with status {}: {}", self.status, self.words.trim());
        }
        Ok(self.words)
    }
}

pub(crate) struct Shell {
    stream: UnixStream,
    /// Marks of one command are no other's.
    serial: u32,
    /// The local shell, if it is one; it ends with its stream.
    child: Option<Child>,
}

impl Shell {
    /// The guest's shell on QEMU's socket. One user at a time: the next waits.
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("cannot reach the guest by {}: is it up?", socket.display()))?;
        Ok(Self { stream, serial: std::process::id() << 12, child: None })
    }

    /// A shell that `command` starts, such as `ip netns exec NAME sh -s`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let output = OwnedFd::from(theirs.try_clone()?);
        let child = command
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(output))
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start a shell")?;
        Ok(Self { stream: ours, serial: 0, child: Some(child) })
    }

    /// Runs lines of shell to their end, with nothing on standard input.
    pub(crate) fn run(&mut self, script: &str, limit: Duration) -> Result<Answer> {
        self.send(&format!("timeout -k 2 {} sh -c {} </dev/null 2>&1", limit.as_secs().max(1), quoted(script)), limit)
    }

    /// Runs lines in the shell itself: faster, and what they set stays; they have to end by themselves.
    pub(crate) fn here(&mut self, script: &str, limit: Duration) -> Result<Answer> {
        self.send(&format!("{{ {script}\n}} </dev/null 2>&1"), limit)
    }

    /// Another shell takes this one's place, which `command` starts, such as `ip netns exec NAME`.
    pub(crate) fn become_one_of(&mut self, command: &str, limit: Duration) -> Result<()> {
        let mark = self.mark();
        let started = format!("printf \"\\n{mark} 0\\n\"; exec sh -s");
        self.talk(&mark, &format!("exec {command} sh -c {} 2>&1", quoted(&started)), limit)?.ok()?;
        Ok(())
    }

    fn send(&mut self, command: &str, limit: Duration) -> Result<Answer> {
        let mark = self.mark();
        self.talk(&mark, &format!("{command}\nprintf '\\n%s %d\\n' {mark} $?"), limit)
    }

    fn mark(&mut self) -> String {
        self.serial += 1;
        format!("@@{}", self.serial)
    }

    fn talk(&mut self, mark: &str, command: &str, limit: Duration) -> Result<Answer> {
        self.stream.write_all(format!("\necho {mark}:; {command}\n").as_bytes())?;
        // the shell's own limit comes first, unless it hangs
        let end = Instant::now() + limit + Duration::from_secs(20);
        let (mut said, mut buffer) = (Vec::new(), [0; 16 << 10]);
        loop {
            if let Some(answer) = between(&said, mark) {
                return Ok(answer);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("the shell does not answer to: {command}");
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the shell is gone; the last command was: {command}"),
                Ok(length) => said.extend_from_slice(&buffer[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error).context("reading from the shell failed"),
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = self.stream.shutdown(std::net::Shutdown::Both);
            let _ = child.wait();
        }
    }
}

/// The answer between a command's marks, once the second one is whole.
fn between(said: &[u8], mark: &str) -> Option<Answer> {
    // the end first: a long answer is not read again with each piece of it
    if said.last() != Some(&b'\n') {
        return None;
    }
    let text = String::from_utf8_lossy(said);
    let (_, rest) = text.split_once(&format!("{mark}:\n"))?;
    let (words, status) = rest.rsplit_once(&format!("\n{mark} "))?;
    Some(Answer { status: status.trim().parse().ok()?, words: words.to_owned() })
}

/// One word for the shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn shell() -> Shell {
        Shell::start(Command::new("sh").arg("-s")).expect("sh is everywhere")
    }

    #[test]
    fn words_and_status_come_back() {
        let mut shell = shell();
        assert_eq!(
            shell.run("echo it\\'s; echo two >&2; exit 3", SOON).unwrap(),
            Answer { status: 3, words: "it's\ntwo\n".into() }
        );
        assert_eq!(shell.run("printf x", SOON).unwrap(), Answer { status: 0, words: "x".into() });
        assert!(shell.run("false", SOON).unwrap().ok().is_err());
    }

    #[test]
    fn what_is_set_here_stays() {
        let mut shell = shell();
        shell.here("greet() { echo \"hello $1\"; }", SOON).unwrap();
        assert_eq!(shell.here("greet you", SOON).unwrap().words, "hello you\n");
    }

    #[test]
    fn another_shell_takes_its_place() {
        let mut shell = shell();
        shell.here("x=1", SOON).unwrap();
        shell.become_one_of("env y=2", SOON).unwrap();
        assert_eq!(shell.here("echo \"$x,$y\"", SOON).unwrap().words, ",2\n");
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        assert_eq!(shell().run("sleep 60", Duration::from_secs(1)).unwrap().status, 124);
    }
}
