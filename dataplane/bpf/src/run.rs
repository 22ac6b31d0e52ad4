//! Programs as they are run.

use crate::check::WORDS;

/// A checked instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Load(Size, u32),
    LoadFromX(Size, u32),
    SetA(u32),
    Recall(usize),
    Length,
    SetX(u32),
    RecallX(usize),
    LengthX,
    /// Four times the low half of a byte: the length of an IPv4 header.
    HeaderLengthX(u32),
    Store(usize),
    StoreX(usize),
    /// Over so many instructions.
    Jump(u32),
    Branch(Compare, Operand, u8, u8),
    Calculate(Operation, Operand),
    Negate,
    AToX,
    XToA,
    Return(u32),
    ReturnA,
}

/// How much of the packet is loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Size {
    Word,
    Half,
    Byte,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operand {
    Constant(u32),
    X,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Compare {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Or,
    And,
    Xor,
    ShiftLeft,
    ShiftRight,
}

/// A packet that a program looks beyond the end of does not pass; nor one that it divides by 0 for.
pub(crate) fn run(steps: &[Step], packet: &[u8]) -> u32 {
    let (mut a, mut x) = (0u32, 0u32);
    let mut words = [0u32; WORDS as usize];
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    let mut at = 0;
    // Jumps lead forward only: it ends.
    while let Some(step) = steps.get(at) {
        at += 1;
        match *step {
            Step::Load(size, from) => match load(packet, size, from) {
                Some(value) => a = value,
                None => return 0,
            },
            Step::LoadFromX(size, k) => match x.checked_add(k).and_then(|from| load(packet, size, from)) {
                Some(value) => a = value,
                None => return 0,
            },
            Step::HeaderLengthX(from) => match load(packet, Size::Byte, from) {
                Some(value) => x = (value & 0xf) << 2,
                None => return 0,
            },
            Step::SetA(k) => a = k,
            Step::SetX(k) => x = k,
            Step::Recall(word) => a = words[word],
            Step::RecallX(word) => x = words[word],
            Step::Store(word) => words[word] = a,
            Step::StoreX(word) => words[word] = x,
            Step::Length => a = length,
            Step::LengthX => x = length,
            Step::Jump(over) => at += over as usize,
            Step::Branch(compare, operand, if_so, if_not) => {
                let over = if compare.holds(a, operand.value(x)) { if_so } else { if_not };
                at += usize::from(over);
            }
            Step::Calculate(operation, operand) => match operation.of(a, operand.value(x)) {
                Some(value) => a = value,
                None => return 0,
            },
            Step::Negate => a = a.wrapping_neg(),
            Step::AToX => x = a,
            Step::XToA => a = x,
            Step::Return(k) => return k,
            Step::ReturnA => return a,
        }
    }
    0
}

fn load(packet: &[u8], size: Size, from: u32) -> Option<u32> {
    let bytes = packet.get(usize::try_from(from).ok()?..)?;
    match size {
        Size::Word => bytes.first_chunk().map(|word| u32::from_be_bytes(*word)),
        Size::Half => bytes.first_chunk().map(|half| u16::from_be_bytes(*half).into()),
        Size::Byte => bytes.first().map(|byte| (*byte).into()),
    }
}

impl Operand {
    const fn value(self, x: u32) -> u32 {
        match self {
            Self::Constant(k) => k,
            Self::X => x,
        }
    }
}

impl Compare {
    const fn holds(self, a: u32, b: u32) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
            Self::AnyBit => a & b != 0,
        }
    }
}

impl Operation {
    /// In 32 bits that wrap; shifts by 32 or more leave nothing. `None`: a division by 0.
    const fn of(self, a: u32, b: u32) -> Option<u32> {
        match self {
            Self::Add => Some(a.wrapping_add(b)),
            Self::Subtract => Some(a.wrapping_sub(b)),
            Self::Multiply => Some(a.wrapping_mul(b)),
            Self::Divide => a.checked_div(b),
            Self::Modulo => a.checked_rem(b),
            Self::Or => Some(a | b),
            Self::And => Some(a & b),
            Self::Xor => Some(a ^ b),
            Self::ShiftLeft => Some(if b < 32 { a << b } else { 0 }),
            Self::ShiftRight => Some(if b < 32 { a >> b } else { 0 }),
        }
    }
}
