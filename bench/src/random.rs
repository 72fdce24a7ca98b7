//! Numbers that look random and depend on a seed alone.

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The numbers of one place (a row, a cluster) of one stream of `seed`.
    pub(crate) fn at(seed: u64, stream: u64, place: u64) -> Self {
        let mut mixed = Random(seed);
        for word in [stream, place] {
            mixed = Random(mixed.next() ^ word.wrapping_mul(0xd6e8_feb8_6659_fd93));
        }
        Random(mixed.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Even over 0 (included) to 1 (excluded).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Even over 0 to `end`, which is left out; 0 if that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }

    /// Two independent numbers, normally distributed with mean 0 and variance 1 (Box and Muller).
    pub(crate) fn normals(&mut self) -> [f32; 2] {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
        [(radius * cos) as f32, (radius * sin) as f32]
    }

    /// Fills `out` with such numbers, times `scale`.
    pub(crate) fn fill_normal(&mut self, out: &mut [f32], scale: f32) {
        for pair in out.chunks_mut(2) {
            let normals = self.normals();
            for (to, normal) in pair.iter_mut().zip(normals) {
                *to = normal * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_mean_0_and_variance_1() {
        let mut values = vec![0.0; 100_001];
        Random::new(7).fill_normal(&mut values, 1.0);
        let count = values.len() as f32;
        let mean = values.iter().sum::<f32>() / count;
        let variance = values.iter().map(|value| value * value).sum::<f32>() / count;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02);
    }
}
