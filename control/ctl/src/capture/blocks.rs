//! pcapng as it passes: whole blocks, and what they say of the capture.

const STATISTICS: u32 = 5;
const PACKET: u32 = 6;
const OPTION_RECEIVED: u16 = 4;
const OPTION_LOST: u16 = 5;
/// Kind and length before a block's body, the length again behind it.
const HEAD: usize = 8;
const TAIL: usize = 4;

/// Blocks on their way from ulvsd to a file.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pending: Vec<u8>,
    /// How much of `pending` is whole blocks.
    whole: usize,
    frames: u64,
    received: u64,
    lost: u64,
    is_complete: bool,
}

impl Blocks {
    /// Adds bytes; gives those of blocks that are whole now, until they are [forgotten](Self::forget).
    pub(super) fn add(&mut self, bytes: &[u8]) -> &[u8] {
        self.pending.extend_from_slice(bytes);
        while let Some(length) = self.next() {
            self.look_at(self.whole, self.whole + length);
            self.whole += length;
        }
        &self.pending[..self.whole]
    }

    pub(super) fn forget(&mut self) {
        self.pending.drain(..std::mem::take(&mut self.whole));
    }

    /// Whether the last block says how many packets there were, as the last of a capture does.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// For people.
    pub(super) fn told(&self) -> String {
        let (frames, lost) = (self.frames, self.lost);
        let lost_ones = if lost == 0 {
            String::new()
        } else {
            format!("; {lost} packets were lost, as they came faster than they were read")
        };
        format!("{frames} frames captured, each side of a packet is one{lost_ones}")
    }

    /// The length of the next block, if all of it is there.
    fn next(&self) -> Option<usize> {
        let rest = &self.pending[self.whole..];
        let length = word(rest, 4)? as usize;
        // Less is no block: nothing more is understood, and nothing more written.
        (length >= HEAD + TAIL && rest.len() >= length).then_some(length)
    }

    fn look_at(&mut self, from: usize, until: usize) {
        let block = &self.pending[from..until];
        let kind = word(block, 0);
        self.is_complete = kind == Some(STATISTICS);
        match kind {
            Some(PACKET) => self.frames += 1,
            Some(STATISTICS) => {
                // the interface and a time
                let mut options = block.get(HEAD + 12..block.len() - TAIL).unwrap_or_default();
                while let Some((code, value, rest)) = option(options) {
                    match code {
                        OPTION_RECEIVED => self.received = value,
                        OPTION_LOST => self.lost = value,
                        _ => {}
                    }
                    options = rest;
                }
            }
            _ => {}
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

/// Code and value of an option of eight bytes, 0 of others; and those that follow.
fn option(bytes: &[u8]) -> Option<(u16, u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let code = u16::from_le_bytes([head[0], head[1]]);
    let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let value = rest.get(..length)?;
    let value = value.try_into().map_or(0, u64::from_le_bytes);
    (code != 0).then_some((code, value, rest.get(length.next_multiple_of(4)..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + HEAD + TAIL).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    }

    #[test]
    fn blocks_pass_whole_whatever_pieces_come() {
        let lost =
            [&[0; 12][..], &[4, 0, 8, 0, 9, 0, 0, 0, 0, 0, 0, 0], &[5, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0], &[0; 4]];
        let all = [block(PACKET, &[0; 24]), block(PACKET, &[0; 28]), block(STATISTICS, &lost.concat())].concat();
        for size in 1..all.len() {
            let (mut blocks, mut passed) = (Blocks::default(), Vec::new());
            for piece in all.chunks(size) {
                passed.extend_from_slice(blocks.add(piece));
                blocks.forget();
            }
            assert_eq!(passed, all);
            assert_eq!((blocks.frames, blocks.received, blocks.lost, blocks.is_complete), (2, 9, 2, true));
        }
    }

    #[test]
    fn what_is_no_block_does_not_pass() {
        let mut blocks = Blocks::default();
        assert!(blocks.add(&[0; 100]).is_empty());
        assert!(blocks.add(&block(STATISTICS, &[])).is_empty());
        let mut blocks = Blocks::default();
        assert_eq!(blocks.add(&block(STATISTICS, &[1])).len(), 13);
    }
}
