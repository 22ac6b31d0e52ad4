//! `cargo xtask vm all`: the director on every kind of NIC, the oracle, and the cost; and a report of it in docs/. It takes long, so
//! what came of each piece is kept in the build's folder: what failed can be run again without the rest.

use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use super::cost;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these; the report is of these and of what was run before with the same build.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Run only what has not been good with this build.
    #[arg(long)]
    resume: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The director on each kind of NIC.
    Bound,
    /// Guest instructions per packet.
    Cost,
    /// The scenarios, with what the kernel answered.
    Oracle,
}

/// The arguments of the test of a director on bound NICs.
const BOUND: [[&str; 3]; 5] = [
    ["virtio", "uio_pci_generic", "1"],
    ["virtio", "vfio-pci", "1"],
    ["e1000e", "uio_pci_generic", "1"],
    ["e1000e", "vfio-pci", "1"],
    ["virtio", "uio_pci_generic", "2"],
];

/// What is run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Bound([&'static str; 3]),
    Cost,
    Oracle,
}

impl Piece {
    fn all() -> Vec<Self> {
        BOUND.into_iter().map(Self::Bound).chain([Self::Cost, Self::Oracle]).collect()
    }

    fn part(self) -> Part {
        match self {
            Self::Bound(_) => Part::Bound,
            Self::Cost => Part::Cost,
            Self::Oracle => Part::Oracle,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Bound(arguments) => format!("bound {}", arguments.join(" ")),
            Self::Cost => "cost".to_owned(),
            Self::Oracle => "oracle".to_owned(),
        }
    }

    fn run(self, name: &str, kept: &Path) -> Result<Outcome> {
        match self {
            Self::Bound(arguments) => bound(name, arguments),
            Self::Cost => {
                let rows = cost::measure(name, &cost::Arguments::default())?;
                Ok(Outcome { good: cost::is_good(&rows), words: cost::measured(&rows) })
            }
            Self::Oracle => oracle(name, kept),
        }
    }
}

/// What came of a piece, for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    good: bool,
    words: String,
}

/// What came of each piece that was run with one build of ulvsd.
struct Kept {
    folder: PathBuf,
    build: u64,
}

impl Kept {
    fn of(build: &[u8], folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut hasher = DefaultHasher::new();
        build.hash(&mut hasher);
        Ok(Self { folder, build: hasher.finish() })
    }

    fn get(&self, piece: Piece) -> Option<Outcome> {
        let text = fs::read_to_string(self.folder.join(piece.name())).ok()?;
        let (head, words) = text.split_once('\n')?;
        let (build, good) = head.split_once(' ')?;
        (build == format!("{:016x}", self.build)).then(|| Outcome { good: good == "good", words: words.to_owned() })
    }

    fn put(&self, piece: Piece, Outcome { good, words }: &Outcome) -> Result<()> {
        let (file, word) = (self.folder.join(piece.name()), if *good { "good" } else { "bad" });
        fs::write(&file, format!("{:016x} {word}\n{words}", self.build))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

pub(super) fn run(name: &str, arguments: &Arguments, image: &Path) -> Result<ExitCode> {
    let program = super::release().join("ulvsd");
    let build = fs::read(&program).with_context(|| format!("cannot read {}: build it first", program.display()))?;
    let kept = Kept::of(&build, image.join("all"))?;
    let scenarios = kept.folder.join("scenarios");
    for piece in Piece::all() {
        let wanted = arguments.parts.is_empty() || arguments.parts.contains(&piece.part());
        if !wanted || (arguments.resume && kept.get(piece).is_some_and(|outcome| outcome.good)) {
            continue;
        }
        if piece == Piece::Oracle && !arguments.resume {
            let _ = fs::remove_file(&scenarios);
        }
        let start = Instant::now();
        let outcome = piece.run(name, &scenarios)?;
        say!("{} {} after {} s", piece.name(), word(outcome.good), start.elapsed().as_secs());
        kept.put(piece, &outcome)?;
    }
    let mut outcomes = Vec::new();
    for piece in Piece::all() {
        let Some(outcome) = kept.get(piece) else {
            say!("no report: \"{}\" was not run with this build yet", piece.name());
            return Ok(ExitCode::FAILURE);
        };
        outcomes.push((piece, outcome));
    }
    let file = crate::root().join("docs/vm-report.md");
    let kernel = fs::read_to_string(image.join("kernel-version")).unwrap_or_default();
    fs::write(&file, report(kernel.trim(), &outcomes)).with_context(|| format!("cannot write {}", file.display()))?;
    let good = outcomes.iter().all(|(_, outcome)| outcome.good);
    if let Some((_, Outcome { words, .. })) = outcomes.last() {
        say!("{}", words.split(';').next().unwrap_or_default());
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(kernel: &str, outcomes: &[(Piece, Outcome)]) -> String {
    let mut text = format!(
        "# The director in a guest\n\nWritten by `cargo xtask vm all`: QEMU without KVM, Debian's kernel {kernel}, NICs bound to DPDK. \
         Each piece was run by itself, all with one build of ulvsd.\n\n\
         ## On bound NICs\n\n| NIC | driver | queues | outcome |\n|---|---|---|---|\n",
    );
    for (piece, outcome) in outcomes {
        if let Piece::Bound([nic, driver, queues]) = piece {
            let _ = writeln!(text, "| {nic} | {driver} | {queues} | {} |", outcome.words);
        }
    }
    text += "\nEach: ARP and ping through the twins, TCP with the director itself, NAT, DR and TUN over both families with curl and dig, \
        the doctor, a link down and up, a NIC in use that is asked back and taken by force under traffic, a restart, and the NICs given \
        back to the kernel.\n";
    for (piece, outcome) in outcomes {
        match piece {
            Piece::Bound(_) => {}
            Piece::Cost => text += &outcome.words,
            Piece::Oracle => {
                let _ = write!(
                    text,
                    "\n## Against the kernel's IPVS\n\nulvsd in the guest, on NICs bound to `uio_pci_generic`, and what the kernel's \
                     own IPVS answered there: {}",
                    outcome.words
                );
            }
        }
    }
    text
}

fn word(good: bool) -> &'static str {
    if good { "passed" } else { "**failed**" }
}

fn bound(name: &str, arguments: [&str; 3]) -> Result<Outcome> {
    let start = Instant::now();
    let script = crate::root().join("scripts/e2e/vm_bound_test.sh");
    let good = Command::new(script).args(arguments).env("ULVS_LAB", name).status()?.success();
    Ok(Outcome { good, words: format!("{}, {} s", word(good), start.elapsed().as_secs()) })
}

/// The table of all scenarios. Its first words are how many are equal.
fn oracle(name: &str, kept: &Path) -> Result<Outcome> {
    let table = kept.with_extension("md");
    let _ = fs::remove_file(&table);
    let status = Command::new(std::env::current_exe()?)
        .args(["oracle", "--name", name, "--in-guest", "--report"])
        .arg(&table)
        .arg("--resume")
        .arg(kept)
        .stdin(Stdio::null())
        .status()?;
    let words = fs::read_to_string(&table).context("the oracle did not come to its end: see its words above")?;
    Ok(Outcome { good: status.success(), words })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("ulvs-{name}-{}", std::process::id()))
    }

    #[test]
    fn outcomes_are_kept_for_one_build() {
        let folder = folder("all");
        let kept = Kept::of(b"one build", folder.clone()).unwrap();
        let outcome = Outcome { good: true, words: "passed, 7 s\n".into() };
        kept.put(Piece::Cost, &outcome).unwrap();
        assert_eq!(kept.get(Piece::Cost), Some(outcome));
        assert_eq!(kept.get(Piece::Oracle), None);
        assert_eq!(Kept::of(b"another", folder.clone()).unwrap().get(Piece::Cost), None);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_report_has_every_piece() {
        let outcome = |words: &str| Outcome { good: true, words: words.into() };
        let outcomes: Vec<_> = Piece::all().into_iter().map(|piece| (piece, outcome(&piece.name()))).collect();
        let text = report("6.1", &outcomes);
        assert_eq!(text.matches("| bound ").count(), BOUND.len());
        assert!(text.contains("cost") && text.ends_with("answered there: oracle"));
    }
}
