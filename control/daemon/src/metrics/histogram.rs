//! Histograms that workers have counted, as Prometheus takes them.

use std::collections::HashMap;

use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use ulvs_engine::counters::histogram::{Sizes, Spans};

/// A histogram for each value of a label. The library's own counts what it is told one by one; these are counted already.
pub(super) struct Histograms {
    desc: Desc,
    label: &'static str,
    metrics: Vec<Metric>,
}

impl Histograms {
    pub(super) fn new(name: &str, help: &str, label: &'static str) -> prometheus::Result<Self> {
        let desc = Desc::new(name.to_owned(), help.to_owned(), vec![label.to_owned()], HashMap::new())?;
        Ok(Self { desc, label, metrics: Vec::new() })
    }

    /// Adds the histogram of `value`: how many there are up to each bound, beyond the last one (the
    /// encoder writes infinity itself), and the sum of all.
    pub(super) fn add(&mut self, value: &str, buckets: &[(f64, u64)], beyond: u64, sum: f64) {
        let mut total = 0;
        let cumulative = buckets.iter().map(|&(bound, count)| {
            total += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(total);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(cumulative.collect());
        histogram.set_sample_count(total + beyond);
        histogram.set_sample_sum(sum);
        let mut label = LabelPair::default();
        label.set_name(self.label.to_owned());
        label.set_value(value.to_owned());
        let mut metric = Metric::from_label(vec![label]);
        metric.set_histogram(histogram);
        self.metrics.push(metric);
    }

    pub(super) fn register(self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self))
    }
}

impl Collector for Histograms {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(self.metrics.clone());
        vec![family]
    }
}

/// Bounds of pass times in seconds: 100 us, its halves down to 195 ns and its doublings up to 0.8 s.
fn bounds() -> impl Iterator<Item = f64> {
    (-9..=13).map(|doublings| 100e-6 * f64::from(doublings).exp2())
}

/// How many spans there are up to each bound and beyond the one before, and how many beyond the last.
pub(super) fn spans(spans: &Spans) -> (Vec<(f64, u64)>, u64) {
    let mut buckets: Vec<_> = bounds().map(|bound| (bound, 0)).collect();
    let mut beyond = 0;
    for step in spans.steps() {
        // Bounds are ends of steps; but they are computed in other ways, and not to the last bit the same.
        let bucket = buckets.iter_mut().find(|(bound, _)| step.below <= bound * (1.0 + 1e-9));
        *bucket.map_or(&mut beyond, |(_, count)| count) += step.count;
    }
    (buckets, beyond)
}

/// The same of sizes.
pub(super) fn sizes(sizes: &Sizes) -> Vec<(f64, u64)> {
    sizes.steps().map(|(size, count)| (f64::from(size), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use prometheus::{Encoder as _, TextEncoder};
    use ulvs_engine::{Capacity, Shared};

    #[test]
    fn each_pass_is_below_its_bounds_and_100_us_is_one() {
        let shared = Shared::new(Capacity { connections: 128, destinations: 1, workers: 1 }, [1, 2, 3]).unwrap();
        let counted = &shared.workers()[0].pass_times;
        // 50 ns, 99 us, 101 us, 3 s.
        for nanos in [50, 99_000, 101_000, 3_000_000_000] {
            counted.count(Spans::UNITS_PER_SECOND / 1_000_000 * nanos / 1000);
        }
        let mut histograms = Histograms::new("passes", "Passes.", "worker").unwrap();
        let (buckets, beyond) = spans(counted);
        histograms.add("7", &buckets, beyond, counted.sum());
        let mut text = Vec::new();
        TextEncoder::new().encode(&histograms.collect(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            r#"passes_bucket{worker="7",le="0.0000001953125"} 1"#,
            r#"passes_bucket{worker="7",le="0.00005"} 1"#,
            r#"passes_bucket{worker="7",le="0.0001"} 2"#,
            r#"passes_bucket{worker="7",le="0.0002"} 3"#,
            r#"passes_bucket{worker="7",le="0.8192"} 3"#,
            r#"passes_bucket{worker="7",le="+Inf"} 4"#,
            r#"passes_count{worker="7"} 4"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_library_agrees_with_what_is_counted_for_it() {
        let shared = Shared::new(Capacity { connections: 128, destinations: 1, workers: 1 }, [1, 2, 3]).unwrap();
        let own = prometheus::Histogram::with_opts(
            prometheus::HistogramOpts::new("bursts", "Bursts.").buckets(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]),
        );
        let own = own.unwrap();
        for size in 1..=64u8 {
            shared.workers()[0].bursts.count(size.into());
            own.observe(size.into());
        }
        let families = own.collect();
        let buckets = families[0].get_metric()[0].get_histogram().get_bucket();
        let mut histograms = Histograms::new("bursts", "Bursts.", "worker").unwrap();
        histograms.add("0", &sizes(&shared.workers()[0].bursts), 0, own.get_sample_sum());
        assert_eq!(histograms.metrics[0].get_histogram().get_bucket(), buckets);
    }
}
