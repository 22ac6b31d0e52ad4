//! Percentiles by the nearest-rank method.

/// The smallest value that at least `per_cent` of the values do not exceed; `sorted` is in ascending order.
pub(crate) fn percentile(sorted: &[u64], per_cent: u64) -> Option<u64> {
    let rank = (sorted.len() as u64 * per_cent).div_ceil(100).max(1);
    sorted.get(usize::try_from(rank - 1).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn is_the_nearest_rank() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), Some(50));
        assert_eq!(percentile(&hundred, 99), Some(99));
        assert_eq!(percentile(&hundred, 100), Some(100));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile(&[1, 9], 50), Some(1));
    }

    #[test]
    fn has_none_of_nothing() {
        assert_eq!(percentile(&[], 50), None);
    }
}
