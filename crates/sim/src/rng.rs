//! SplitMix64: the same numbers for the same seed, on every machine and for ever.

/// A stream of numbers.
pub struct Rng(u64);

impl Rng {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Something to be taken modulo what there is.
    pub fn pick(&mut self) -> u32 {
        self.next() as u32
    }

    /// A number of either sign, no further from zero than `most`.
    pub fn around(&mut self, most: i64) -> i64 {
        let width = most.unsigned_abs() * 2 + 1;
        self.below(width) as i64 - most
    }
}
