//! Numbers that look random and follow from their arguments alone.

/// `SplitMix64`'s finalizer (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): a permutation of the 64-bit numbers.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number below `count` that follows from 64 random bits; none is more likely than another by more than `count` in 2^64.
pub(crate) fn below(count: u64, bits: u64) -> u64 {
    let product = u128::from(bits) * u128::from(count);
    u64::try_from(product >> 64).expect("a product of two 64-bit numbers")
}
