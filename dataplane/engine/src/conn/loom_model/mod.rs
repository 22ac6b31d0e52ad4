//! Models of the table's lock-free parts, explored by loom: every interleaving with a bounded number of preemptions, every
//! value the memory model lets a load see.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p ulvs-engine --release --lib loom_model`

mod index;
mod pool;
mod quiescence;
mod table;
mod template;

/// Explores `model` with at most `preemptions` of them, or as many as `LOOM_MAX_PREEMPTIONS` says.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 50_000;
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(model);
}
