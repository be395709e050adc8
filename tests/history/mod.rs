//! What a campaign has done, line by line, and whether that keeps the promises. Shared by the campaigns whose parties are
//! processes.

pub(crate) mod actions;
pub(crate) mod executing;
pub(crate) mod log;
pub(crate) mod random;
pub(crate) mod reading;
mod spoilt;

/// The kinds of faults that are found, the same with every seed.
pub(crate) fn the_same_of_all_seeds<F: Copy + Ord + std::fmt::Debug>(
    found: impl Fn(u64) -> Vec<(F, String)>,
) -> Vec<F> {
    let kinds = |seed| {
        let mut faults: Vec<F> = found(seed).into_iter().map(|(fault, _)| fault).collect();
        faults.sort_unstable();
        faults.dedup();
        faults
    };
    let first = kinds(0);
    for seed in 1..20 {
        assert_eq!(kinds(seed), first, "seed {seed}");
    }
    first
}
