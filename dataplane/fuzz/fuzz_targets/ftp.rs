//! Any text as a dialogue of an FTP client and server by a control connection in NAT.

#![no_main]

mod director;

use std::cell::RefCell;

use director::{Director, PORTS};
use libfuzzer_sys::fuzz_target;
use ulvs_engine::{Frame, MemoryFrame, Verdict};
use ulvs_wire::checksum::{add, fold, of, pseudo};

const CLIENT: ([u8; 4], u16) = ([10, 9, 3, 1], 41000);
const VIP: ([u8; 4], u16) = ([10, 0, 1, 100], 21);
const SERVER: ([u8; 4], u16) = ([10, 0, 2, 11], 2100);
const SYN: u8 = 2;
const ACK: u8 = 16;
const HEADERS: usize = 14 + 40;
/// What a reply to PASV may be longer by: `10,0,1,100` in the place of `0,0,0,0`.
const LONGER: usize = 3;

thread_local!(static DIRECTOR: RefCell<Director> = RefCell::new(Director::new()));

// `([sender and length] [text])*`: the highest bit says that the server speaks.
fuzz_target!(|input: &[u8]| {
    DIRECTOR.with_borrow_mut(|director| {
        // The state of the connection is left to the fuzzer's luck no more than its tuple.
        play(director, false, SYN, (0, 0), b"");
        play(director, true, SYN | ACK, (0, 0), b"");
        play(director, false, ACK, (0, 0), b"");
        let (mut sequences, mut rest) = ([1u32; 2], input);
        while let Some((&head, more)) = rest.split_first() {
            let (text, more) = more.split_at(usize::from(head & 0x7f).min(more.len()));
            let server = head & 0x80 != 0;
            let (mine, theirs) = (sequences[usize::from(server)], sequences[usize::from(!server)]);
            play(director, server, ACK, (mine, theirs), text);
            sequences[usize::from(server)] = mine.wrapping_add(text.len() as u32);
            rest = more;
        }
    });
});

fn play(director: &mut Director, server: bool, flags: u8, numbers: (u32, u32), text: &[u8]) {
    let ((from, to), port) = if server { ((SERVER, CLIENT), 1) } else { ((CLIENT, VIP), 0) };
    let mut frames = [MemoryFrame::new(&frame(port, from, to, flags, numbers, text))];
    let verdicts = director.play(usize::from(server), port, 0, &mut frames);
    if !matches!(verdicts[..], [Verdict::Forward(_)]) {
        return;
    }
    let bytes = frames[0].bytes();
    let ip_len = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    assert_eq!(bytes.len(), 14 + ip_len, "a frame is as long as it says");
    assert!(bytes.len() <= HEADERS + text.len() + LONGER);
    assert_eq!(of(&bytes[14..34]), 0);
    let segment = &bytes[34..];
    assert_eq!(fold(add(pseudo(&bytes[26..30], &bytes[30..34], 6, segment.len()), segment)), 0xffff);
}

fn frame(
    port: u16,
    from: ([u8; 4], u16),
    to: ([u8; 4], u16),
    flags: u8,
    (sequence, acknowledgement): (u32, u32),
    text: &[u8],
) -> Vec<u8> {
    let mut frame = [&PORTS[usize::from(port)][..], &[2, 0, 0, 0, 9, 9, 8, 0]].concat();
    let length = u16::try_from(40 + text.len()).unwrap().to_be_bytes();
    let mut ip = [&[0x45, 0][..], &length, &[0, 0, 0x40, 0, 64, 6, 0, 0], &from.0, &to.0].concat();
    let sum = of(&ip).to_be_bytes();
    ip[10..12].copy_from_slice(&sum);
    let ports = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
    let numbers = [sequence.to_be_bytes(), acknowledgement.to_be_bytes()].concat();
    let mut tcp = [&ports[..], &numbers, &[0x50, flags, 4, 0, 0, 0, 0, 0], text].concat();
    let sum = !fold(add(pseudo(&from.0, &to.0, 6, tcp.len()), &tcp));
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    frame.extend_from_slice(&ip);
    frame.extend_from_slice(&tcp);
    frame
}
