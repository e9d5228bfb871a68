//! Random choices that are the same in every run.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A generator of pseudo-random numbers, and of texts that match a pattern.
pub struct Random {
    state: u64,
    runner: TestRunner,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[7; 16]);
        Self { state: seed, runner: TestRunner::new_with_rng(Config::default(), rng) }
    }

    /// A number below `limit`, which is not 0. (SplitMix64.)
    pub fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        usize::try_from(z % u64::try_from(limit).unwrap()).unwrap()
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    /// A text that matches; where the pattern allows any character, `x`.
    pub fn matching(&mut self, pattern: &str) -> String {
        let strategy = proptest::string::string_regex(pattern).unwrap();
        let text = strategy.new_tree(&mut self.runner).unwrap().current();
        text.chars().map(|c| if matches!(c, ' '..='~') { c } else { 'x' }).collect()
    }
}
