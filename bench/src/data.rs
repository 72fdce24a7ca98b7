//! Generated vectors that are about as hard to search as real ones: clusters of uneven size, each a
//! thick sheet whose directions fall off.
//!
//! ```text
//! cluster c has weight 1 / (c + 1)^exponent and
//!   centre = map of a normal point of `centre_dimensions` into all dimensions
//!   frame  = `sheet_dimensions` directions, the j-th of length (j + 1)^-decay
//!   width  = spread * exp(width_deviation * normal)
//! row = centre + stretch * (width * (frame * normal point) + noise * normal point)
//!   stretch = exp(row_deviation * normal)
//! ```
//! All three parts have components of variance 1 before their factors. Descriptors (of images,
//! say) are whole numbers from 0 to 255 with many zeros: so are rows with `descriptor`.

use clap::Args;
use serde::Serialize;

use crate::random::Random;

/// What generated vectors look like.
#[derive(Args, Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Shape {
    /// Seed of everything that is generated
    #[arg(long, default_value_t = Shape::default().seed)]
    pub(crate) seed: u64,
    /// Clusters
    #[arg(long, default_value_t = Shape::default().clusters)]
    pub(crate) clusters: usize,
    /// How uneven the clusters' sizes are; 0 makes them even
    #[arg(long, default_value_t = Shape::default().exponent)]
    pub(crate) exponent: f64,
    /// Dimensions of the space that the centres lie in
    #[arg(long, default_value_t = Shape::default().centre_dimensions)]
    pub(crate) centre_dimensions: usize,
    /// Dimensions of a cluster
    #[arg(long, default_value_t = Shape::default().sheet_dimensions)]
    pub(crate) sheet_dimensions: usize,
    /// How fast the lengths of a cluster's directions fall
    #[arg(long, default_value_t = Shape::default().decay)]
    pub(crate) decay: f64,
    /// Width of a cluster, where the distance of centres is 1
    #[arg(long, default_value_t = Shape::default().spread)]
    pub(crate) spread: f64,
    /// How much the clusters' widths differ
    #[arg(long, default_value_t = Shape::default().width_deviation)]
    pub(crate) width_deviation: f64,
    /// How much rows differ in how far they stray from their centre
    #[arg(long, default_value_t = Shape::default().row_deviation)]
    pub(crate) row_deviation: f64,
    /// Width of the noise in all dimensions
    #[arg(long, default_value_t = Shape::default().noise)]
    pub(crate) noise: f64,
    /// Whether components are whole numbers from 0 to 255, many of them 0
    #[arg(long, default_value_t = Shape::default().descriptor, action = clap::ArgAction::Set)]
    pub(crate) descriptor: bool,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            seed: 1,
            clusters: 40,
            exponent: 0.5,
            centre_dimensions: 24,
            sheet_dimensions: 80,
            decay: 0.45,
            spread: 1.4,
            width_deviation: 0.15,
            row_deviation: 0.2,
            noise: 0.4,
            descriptor: true,
        }
    }
}

/// Which of the independent sets of rows of one distribution.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Base = 1,
    Queries = 2,
}

const CENTRE_MAP: u64 = 11;
const CENTRES: u64 = 12;
const FRAMES: u64 = 13;
/// Clusters share frames, so that those of many dimensions stay small.
const FRAMES_MAX: usize = 256;
/// Components of descriptors are `value * DESCRIPTOR_SCALE + DESCRIPTOR_SHIFT`, cut to 0..=255.
pub(crate) const DESCRIPTOR_SCALE: f32 = 25.0;
const DESCRIPTOR_SHIFT: f32 = 40.0;

/// Makes rows of one [`Shape`] and dimension.
#[derive(Debug)]
pub(crate) struct Generator {
    shape: Shape,
    dimension: usize,
    /// Sums of the clusters' weights.
    reach: Vec<f64>,
    /// A row per cluster.
    centres: Vec<f32>,
    widths: Vec<f32>,
    /// `sheet_dimensions` rows per frame.
    frames: Vec<f32>,
}

impl Generator {
    pub(crate) fn new(shape: &Shape, dimension: usize) -> Self {
        let clusters = shape.clusters.max(1);
        let mut sum = 0.0;
        let reach = (1..=clusters).map(|c| {
            sum += (c as f64).powf(-shape.exponent);
            sum
        });
        let map_rows = shape.centre_dimensions.max(1);
        let mut map = vec![0.0; map_rows * dimension];
        Random::at(shape.seed, CENTRE_MAP, 0).fill_normal(&mut map, 1.0 / (map_rows as f32).sqrt());
        let mut centres = vec![0.0; clusters * dimension];
        let mut widths = Vec::with_capacity(clusters);
        let mut point = vec![0.0; map_rows];
        for (c, centre) in centres.chunks_exact_mut(dimension).enumerate() {
            let mut random = Random::at(shape.seed, CENTRES, c as u64);
            random.fill_normal(&mut point, 1.0);
            add_product(centre, &point, &map);
            let deviation = f64::from(random.normals()[0]) * shape.width_deviation;
            widths.push((shape.spread * deviation.exp()) as f32);
        }
        Generator {
            reach: reach.collect(),
            centres,
            widths,
            frames: frames(shape, clusters.min(FRAMES_MAX), dimension),
            shape: shape.clone(),
            dimension,
        }
    }

    /// `rows` rows of a stream from `first` on, made by all cores.
    pub(crate) fn rows(&self, stream: Stream, first: u64, rows: usize) -> Vec<f32> {
        let mut out = vec![0.0; rows * self.dimension];
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = rows.div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for (part, out) in out.chunks_mut(share * self.dimension).enumerate() {
                let first = first + (part * share) as u64;
                scope.spawn(move || {
                    for (row, out) in (first..).zip(out.chunks_exact_mut(self.dimension)) {
                        self.row(stream, row, out);
                    }
                });
            }
        });
        out
    }

    fn row(&self, stream: Stream, number: u64, out: &mut [f32]) {
        let mut random = Random::at(self.shape.seed, stream as u64, number);
        let end = self.reach.last().copied().unwrap_or(1.0);
        let wanted = random.unit() * end;
        let cluster = self.reach.partition_point(|reach| *reach <= wanted);
        let cluster = cluster.min(self.widths.len() - 1);

        let deviation = f64::from(random.normals()[0]) * self.shape.row_deviation;
        let stretch = deviation.exp() as f32;
        let mut point = vec![0.0; self.shape.sheet_dimensions];
        random.fill_normal(&mut point, stretch * self.widths[cluster]);
        random.fill_normal(out, stretch * self.shape.noise as f32);
        let frame_len = self.shape.sheet_dimensions * self.dimension;
        let frames = self.frames.len().checked_div(frame_len).unwrap_or(0);
        if let Some(frame) = cluster.checked_rem(frames) {
            add_product(out, &point, &self.frames[frame * frame_len..][..frame_len]);
        }
        let centre = &self.centres[cluster * self.dimension..][..self.dimension];
        for (out, centre) in out.iter_mut().zip(centre) {
            *out += centre;
            if self.shape.descriptor {
                *out = (*out * DESCRIPTOR_SCALE + DESCRIPTOR_SHIFT)
                    .clamp(0.0, 255.0)
                    .round();
            }
        }
    }
}

/// Directions of clusters; a normal point times a frame has components of variance 1.
fn frames(shape: &Shape, count: usize, dimension: usize) -> Vec<f32> {
    let lengths: Vec<f64> = (1..=shape.sheet_dimensions)
        .map(|j| (j as f64).powf(-shape.decay))
        .collect();
    let whole = lengths.iter().map(|l| l * l).sum::<f64>().sqrt();
    let mut frames = vec![0.0; count * shape.sheet_dimensions * dimension];
    for (number, direction) in frames.chunks_exact_mut(dimension).enumerate() {
        let length = lengths[number % lengths.len()] / whole;
        Random::at(shape.seed, FRAMES, number as u64).fill_normal(direction, length as f32);
    }
    frames
}

/// Adds `point` times `matrix`, which has a row per component of the point, to `out`.
fn add_product(out: &mut [f32], point: &[f32], matrix: &[f32]) {
    for (factor, row) in point.iter().zip(matrix.chunks_exact(out.len())) {
        for (out, value) in out.iter_mut().zip(row) {
            *out += factor * value;
        }
    }
}
