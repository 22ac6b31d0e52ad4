//! Classic BPF, which filters in tcpdump's language are compiled to: programs are checked once, and then run on packets.
//!
//! Whoever may capture gives a program of any origin, and a worker runs it: it can neither loop nor leave the packet, and
//! takes at most as many steps as it has instructions. No unsafe code, no allocation while it runs.

mod check;
mod run;

pub use check::Refused;

/// Instructions that a program may have, as in Linux and libpcap.
pub const LONGEST: usize = 4096;

/// An instruction as libpcap and the kernel have it (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// Instructions to jump over if a comparison holds.
    pub jt: u8,
    /// And if it does not.
    pub jf: u8,
    /// Its constant.
    pub k: u32,
}

/// A program that was checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Program(Box<[run::Step]>);

impl Program {
    /// Checks a program.
    ///
    /// # Errors
    /// What is wrong with which instruction.
    pub fn new(instructions: &[Instruction]) -> Result<Self, Refused> {
        check::steps(instructions).map(|steps| Self(steps.into()))
    }

    /// One that every packet passes.
    pub fn everything() -> Self {
        Self(Box::new([run::Step::Return(u32::MAX)]))
    }

    /// Whether a packet passes.
    pub fn passes(&self, packet: &[u8]) -> bool {
        self.run(packet) != 0
    }

    /// What the program returns: bytes of the packet to keep, 0 for one that does not pass.
    pub fn run(&self, packet: &[u8]) -> u32 {
        run::run(&self.0, packet)
    }
}
