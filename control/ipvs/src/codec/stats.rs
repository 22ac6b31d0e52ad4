use super::writer::Writer;
use crate::Stats;

impl Writer<'_> {
    /// The counters twice: those of `narrow` cut to 32 bits but for bytes, those of `wide` whole.
    pub(super) fn stats(self, narrow: u16, wide: u16, stats: &Stats) -> Self {
        let numbers = [
            stats.connections,
            stats.packets_in,
            stats.packets_out,
            stats.bytes_in,
            stats.bytes_out,
            stats.connection_rate,
            stats.packet_rate_in,
            stats.packet_rate_out,
            stats.byte_rate_in,
            stats.byte_rate_out,
        ];
        let all = || (1..).zip(numbers);
        self.nest(narrow, |nest| {
            all().fold(nest, |nest, (kind, number)| match kind {
                4 | 5 => nest.u64(kind, number),
                #[expect(clippy::cast_possible_truncation, reason = "the kernel cuts here too; STATS64 has it whole")]
                _ => nest.u32(kind, number as u32),
            })
        })
        .nest(wide, |nest| all().fold(nest, |nest, (kind, number)| nest.u64(kind, number)))
    }
}
