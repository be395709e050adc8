//! Names of the frames that one side sends.

/// Gives out ids. Twilsock: opaque, unique per sender; the JavaScript SDK and servers begin with `TM`.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    seed: u64,
    given: u64,
}

impl Ids {
    /// `seed` is random, so that ids of two sessions differ in logs.
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, given: 0 }
    }

    /// An id never given before: `TM` and 32 hexadecimal digits.
    pub(super) fn next(&mut self) -> String {
        self.given += 1;
        format!("TM{:016x}{:016x}", self.seed, self.given)
    }
}
