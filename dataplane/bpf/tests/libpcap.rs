//! Programs do what libpcap's own interpreter does with them.

#![allow(clippy::unwrap_used, reason = "a test")]
#![expect(unsafe_code, reason = "libpcap's interpreter is a C function")]

use proptest::prelude::*;
use ulvs_bpf::{Instruction, Program, Refused};

/// As libpcap has it.
#[repr(C)]
struct Insn {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

#[link(name = "pcap")]
unsafe extern "C" {
    fn bpf_filter(program: *const Insn, packet: *const u8, wire: u32, captured: u32) -> u32;
}

fn of_libpcap(program: &[Instruction], packet: &[u8]) -> u32 {
    let program: Vec<_> = program.iter().map(|&Instruction { code, jt, jf, k }| Insn { code, jt, jf, k }).collect();
    let length = u32::try_from(packet.len()).unwrap();
    // SAFETY: the program was accepted by `Program::new`, whose rules are stricter than libpcap's: known instructions, jumps
    // within, a return at the end. The packet has the length that is told.
    unsafe { bpf_filter(program.as_ptr(), packet.as_ptr(), length, length) }
}

/// Instructions of all kinds, most of which can be in a program of `count`.
fn instruction() -> impl Strategy<Value = Instruction> {
    const CODES: [u16; 43] = [
        0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x00, 0x60, 0x80, 0x01, 0x61, 0x81, 0xb1, 0x02, 0x03, 0x05, 0x15, 0x1d,
        0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16, 0x07, 0x87, 0x84, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x34, 0x3c,
        0x44, 0x54, 0x64, 0x6c, 0x74, 0x9c, 0xac,
    ];
    let k = prop_oneof![4 => 0u32..16, 2 => 0u32..80, 1 => any::<u32>()];
    let code = prop_oneof![20 => prop::sample::select(&CODES[..]), 1 => any::<u16>()];
    (code, 0u8..6, 0u8..6, k).prop_map(|(code, jt, jf, k)| Instruction { code, jt, jf, k })
}

/// What libpcap leaves undefined is set first: the words to store in.
fn program() -> impl Strategy<Value = Vec<Instruction>> {
    prop::collection::vec(instruction(), 0..24).prop_map(|body| {
        let stores = (0..16).map(|k| Instruction { code: 0x02, jt: 0, jf: 0, k });
        let end = Instruction { code: 0x16, jt: 0, jf: 0, k: 0 };
        // Of what is refused at most a jump too far is common.
        stores.chain(body).chain(std::iter::repeat_n(end, 8)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn programs_return_what_libpcap_says(program in program(), packet in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(checked) = Program::new(&program) {
            prop_assert_eq!(checked.run(&packet), of_libpcap(&program, &packet));
        }
    }

    /// Whatever comes over the wire.
    #[test]
    fn nothing_panics(program in prop::collection::vec((any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>()), 0..40)) {
        let program: Vec<_> =
            program.into_iter().map(|(code, jt, jf, k)| Instruction { code: code & 0xff, jt, jf, k }).collect();
        if let Ok(checked) = Program::new(&program) {
            checked.run(&[0x45; 60]);
        }
    }
}

#[test]
fn what_can_not_be_run_is_refused() {
    let one = |code, k| Instruction { code, jt: 0, jf: 0, k };
    let with_return = |instruction| Program::new(&[instruction, one(0x06, 1)]);
    assert_eq!(Program::new(&[]), Err(Refused::Empty));
    assert_eq!(Program::new(&vec![one(0x06, 0); 4097]), Err(Refused::TooLong(4097)));
    assert_eq!(Program::new(&[one(0x00, 1)]), Err(Refused::Beyond(0)));
    assert_eq!(with_return(one(0x05, 1)), Err(Refused::Beyond(0)));
    assert_eq!(with_return(one(0x05, u32::MAX)), Err(Refused::Beyond(0)));
    assert_eq!(with_return(Instruction { code: 0x15, jt: 0, jf: 1, k: 0 }), Err(Refused::Beyond(0)));
    assert_eq!(with_return(one(0x34, 0)), Err(Refused::Constant { at: 0, k: 0 }));
    assert_eq!(with_return(one(0x64, 32)), Err(Refused::Constant { at: 0, k: 32 }));
    assert_eq!(with_return(one(0x02, 16)), Err(Refused::Constant { at: 0, k: 16 }));
    for code in [0x99, 0x8c, 0x0e, 0xb4, 0x104, 0xffff] {
        assert_eq!(with_return(one(code, 1)), Err(Refused::Unknown { at: 0, code }), "{code:#x}");
    }
    assert!(Program::everything().passes(&[]));
}
