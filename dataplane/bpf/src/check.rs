//! What a program must be to be run: known instructions, jumps forward and within, no division by a constant 0.

use crate::run::{Compare, Operand, Operation, Size, Step};
use crate::{Instruction, LONGEST};

/// Words that a program can store in.
pub(crate) const WORDS: u32 = 16;

/// Why a program is not run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It has no instruction.
    #[error("a filter has at least one instruction")]
    Empty,
    /// It has too many.
    #[error("a filter has at most {LONGEST} instructions, this one has {0}: make it shorter")]
    TooLong(usize),
    /// There is no such instruction.
    #[error("instruction {at} of the filter has code {code:#06x}, which classic BPF does not have")]
    Unknown {
        /// Which one.
        at: usize,
        /// Its code.
        code: u16,
    },
    /// A jump leaves the program, or its last instruction does not return.
    #[error("instruction {0} of the filter leads beyond its end")]
    Beyond(usize),
    /// Its constant is none that it can have.
    #[error("instruction {at} of the filter can't have the constant {k}")]
    Constant {
        /// Which one.
        at: usize,
        /// Its constant.
        k: u32,
    },
}

pub(crate) fn steps(instructions: &[Instruction]) -> Result<Vec<Step>, Refused> {
    if instructions.is_empty() {
        return Err(Refused::Empty);
    }
    if instructions.len() > LONGEST {
        return Err(Refused::TooLong(instructions.len()));
    }
    let steps = instructions.iter().enumerate().map(|(at, one)| step(at, *one, instructions.len()));
    let steps = steps.collect::<Result<Vec<_>, _>>()?;
    match steps.last() {
        Some(Step::Return(_) | Step::ReturnA) => Ok(steps),
        _ => Err(Refused::Beyond(steps.len() - 1)),
    }
}

fn step(at: usize, instruction: Instruction, count: usize) -> Result<Step, Refused> {
    let Instruction { code, jt, jf, k } = instruction;
    let within = |over: u32| {
        let is_within = usize::try_from(over).is_ok_and(|over| over < count - at - 1);
        is_within.then_some(over).ok_or(Refused::Beyond(at))
    };
    let word = || if k < WORDS { Ok(k as usize) } else { Err(Refused::Constant { at, k }) };
    Ok(match code {
        // BPF_LD, with the sizes W, H, B
        0x20 => Step::Load(Size::Word, k),
        0x28 => Step::Load(Size::Half, k),
        0x30 => Step::Load(Size::Byte, k),
        0x40 => Step::LoadFromX(Size::Word, k),
        0x48 => Step::LoadFromX(Size::Half, k),
        0x50 => Step::LoadFromX(Size::Byte, k),
        0x00 => Step::SetA(k),
        0x60 => Step::Recall(word()?),
        0x80 => Step::Length,
        // BPF_LDX
        0x01 => Step::SetX(k),
        0x61 => Step::RecallX(word()?),
        0x81 => Step::LengthX,
        0xb1 => Step::HeaderLengthX(k),
        // BPF_ST, BPF_STX
        0x02 => Step::Store(word()?),
        0x03 => Step::StoreX(word()?),
        // BPF_JMP
        0x05 => Step::Jump(within(k)?),
        0x15 | 0x1d | 0x25 | 0x2d | 0x35 | 0x3d | 0x45 | 0x4d => {
            let compare = match code & 0xf0 {
                0x10 => Compare::Equal,
                0x20 => Compare::Greater,
                0x30 => Compare::GreaterOrEqual,
                _ => Compare::AnyBit,
            };
            within(jt.into())?;
            within(jf.into())?;
            Step::Branch(compare, operand(code, k), jt, jf)
        }
        // BPF_RET, BPF_MISC
        0x06 => Step::Return(k),
        0x16 => Step::ReturnA,
        0x07 => Step::AToX,
        0x87 => Step::XToA,
        0x84 => Step::Negate,
        _ if code & 0xff07 == 0x04 => {
            let operation = operation(code).ok_or(Refused::Unknown { at, code })?;
            let operand = operand(code, k);
            let is_wrong = match operation {
                Operation::Divide | Operation::Modulo => operand == Operand::Constant(0),
                Operation::ShiftLeft | Operation::ShiftRight => matches!(operand, Operand::Constant(32..)),
                _ => false,
            };
            if is_wrong {
                return Err(Refused::Constant { at, k });
            }
            Step::Calculate(operation, operand)
        }
        _ => return Err(Refused::Unknown { at, code }),
    })
}

const fn operand(code: u16, k: u32) -> Operand {
    if code & 0x08 == 0 { Operand::Constant(k) } else { Operand::X }
}

/// Those of `BPF_ALU` with two operands.
const fn operation(code: u16) -> Option<Operation> {
    Some(match code & 0xf0 {
        0x00 => Operation::Add,
        0x10 => Operation::Subtract,
        0x20 => Operation::Multiply,
        0x30 => Operation::Divide,
        0x40 => Operation::Or,
        0x50 => Operation::And,
        0x60 => Operation::ShiftLeft,
        0x70 => Operation::ShiftRight,
        0x90 => Operation::Modulo,
        0xa0 => Operation::Xor,
        _ => return None,
    })
}
