//! Randomness as an argument: a small generator that the caller seeds.

/// SplitMix64 (Steele, Lea, Flood 2014): for jitter only, never for secrets.
///
/// The shell seeds it from the operating system; simulations seed it with their seed, and so repeat exactly.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator whose whole output is decided by `seed`.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; 0 for a bound of 0. The bias is below `bound / 2^64`, nothing for jitter.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }
}
