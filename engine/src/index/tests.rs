//! The quantizer as a whole: rotations, bounds, recall, bytes and extremes.
use super::{CodeGroup, EPSILON, GROUP_ROWS, Keys, Quantizer, Rotation, centroid};
use crate::kernel::{Kernel, kernel};
use nearfield_model::Metric;
use std::sync::Arc;

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::Dot, Metric::Euclidean];

/// Uniform and normal numbers from a seed.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let x = (self.0 ^ self.0 >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^ x >> 32
    }

    fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f32 {
        let angle = std::f64::consts::TAU * self.uniform();
        ((-2.0 * self.uniform().ln()).sqrt() * angle.cos()) as f32
    }

    fn vector(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension).map(|_| self.normal()).collect()
    }
}

/// Rows around 40 centres, each spread over eight directions of its own, with a little noise, and
/// all moved away from the origin.
fn clustered(count: usize, dimension: usize, random: &mut Random) -> Vec<Vec<f32>> {
    let clusters: Vec<(Vec<f32>, Vec<Vec<f32>>)> = (0..40)
        .map(|_| {
            (
                random.vector(dimension),
                (0..8).map(|_| random.vector(dimension)).collect(),
            )
        })
        .collect();
    let row = |i: usize, random: &mut Random| {
        let (centre, directions) = &clusters[(i * 7 + i / 40) % 40];
        let mut row: Vec<f32> = centre
            .iter()
            .map(|x| x * 1.5 + 0.3 + 0.1 * random.normal())
            .collect();
        for direction in directions {
            let along = 0.4 * random.normal();
            row.iter_mut()
                .zip(direction)
                .for_each(|(x, d)| *x += along * d);
        }
        row
    };
    (0..count).map(|i| row(i, random)).collect()
}

fn scale(metric: Metric, row: &[f32]) -> f32 {
    match metric {
        Metric::Cosine => 1.0 / kernel().dot(row, row).sqrt(),
        Metric::Dot | Metric::Euclidean => 1.0,
    }
}

fn scaled(metric: Metric, row: &[f32]) -> Vec<f32> {
    let scale = scale(metric, row);
    row.iter().map(|x| x * scale).collect()
}

fn exact(metric: Metric, row: &[f32], query: &[f32]) -> f32 {
    let row = scaled(metric, row);
    match metric {
        Metric::Euclidean => kernel().squared_euclidean(&row, query),
        Metric::Dot | Metric::Cosine => -kernel().dot(&row, query),
    }
}

/// Codes of all rows, and the quantizer around their mean.
fn encoded(
    metric: Metric,
    rows: &[Vec<f32>],
    kernel: &'static Kernel,
) -> (Quantizer, Vec<CodeGroup>) {
    let dimension = rows[0].len();
    let each = || rows.iter().map(|row| (&row[..], scale(metric, row)));
    let rotation = Arc::new(Rotation::with_kernel(dimension, 42, kernel));
    let quantizer = Quantizer::new(metric, rotation, &centroid(each(), dimension));
    let mut rest = each();
    let groups = (0..rows.len().div_ceil(GROUP_ROWS)).map(|_| quantizer.encode(rest.by_ref()));
    let groups = groups.collect();
    (quantizer, groups)
}

/// Estimates and lower bounds of all rows.
fn scanned(quantizer: &Quantizer, groups: &[CodeGroup], query: &[f32]) -> Vec<(f32, f32)> {
    let mut rotated = vec![0.0; quantizer.rotation().padded()];
    quantizer.rotation().apply(query, &mut rotated);
    let code = quantizer.query(&rotated, EPSILON);
    let (mut estimates, mut lower) = (Keys::default(), Keys::default());
    let mut all = Vec::new();
    for group in groups {
        code.scan(group, &mut estimates, &mut lower);
        all.extend(estimates.iter().copied().zip(lower.iter().copied()));
    }
    all
}

#[test]
fn rotation_is_orthonormal() {
    let mut random = Random(1);
    for dimension in [1, 2, 3, 63, 64, 65, 100, 128, 192, 384, 784, 1536] {
        let rotation = Rotation::new(dimension, 5);
        assert!(rotation.padded() >= dimension && rotation.padded().is_multiple_of(64));
        let rotate = |v: &[f32]| {
            let mut out = vec![f32::NAN; rotation.padded()];
            rotation.apply(v, &mut out);
            out
        };
        for _ in 0..20 {
            let (a, b) = (random.vector(dimension), random.vector(dimension));
            let (ra, rb) = (rotate(&a), rotate(&b));
            let dot =
                |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum::<f64>();
            let size = dot(&a, &a).sqrt() * dot(&b, &b).sqrt();
            assert!(
                (dot(&a, &b) - dot(&ra, &rb)).abs() < 1e-5 * size,
                "{dimension}"
            );
            assert!(
                (dot(&a, &a) - dot(&ra, &ra)).abs() < 1e-5 * dot(&a, &a),
                "{dimension}"
            );
        }
        // A single component ends up everywhere.
        let mut unit = vec![0.0; dimension];
        unit[dimension / 2] = 1.0;
        let rotated = rotate(&unit);
        let largest = rotated.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        assert!(
            largest * (rotated.len() as f32).sqrt() < 6.0,
            "{dimension}: {largest}"
        );
    }
}

#[test]
fn rotation_is_fixed_by_its_seed() {
    let mut random = Random(2);
    for dimension in [5, 128, 200, 784, 4096, 65_535] {
        let input = random.vector(dimension);
        let rotate = |seed, kernel| {
            let rotation = Rotation::with_kernel(dimension, seed, kernel);
            let mut output = vec![0.0; rotation.padded()];
            rotation.apply(&input, &mut output);
            output
        };
        let expected = rotate(9, Kernel::all_supported()[0]);
        for kernel in Kernel::all_supported() {
            assert_eq!(rotate(9, kernel), expected, "{}", kernel.name());
            assert_ne!(rotate(10, kernel), expected);
        }
    }
}

#[test]
fn bounds_hold() {
    for dimension in [100, 128, 784] {
        let mut random = Random(dimension as u64);
        let rows = clustered(2048, dimension, &mut random);
        for (metric, kernel) in METRICS
            .into_iter()
            .flat_map(|m| Kernel::all_supported().into_iter().map(move |k| (m, k)))
        {
            if kernel.name() == "scalar" && dimension > 128 {
                continue;
            }
            let (quantizer, groups) = encoded(metric, &rows, kernel);
            let (mut held, mut count, mut drift, mut spread) = (0, 0, 0.0, 0.0);
            for query in rows.iter().step_by(73) {
                let query: Vec<f32> = query.iter().map(|x| x + 0.2 * random.normal()).collect();
                let query = scaled(metric, &query);
                for ((estimate, lower), row) in
                    scanned(&quantizer, &groups, &query).into_iter().zip(&rows)
                {
                    let exact = exact(metric, row, &query);
                    held += usize::from(lower <= exact);
                    count += 1;
                    // In standard errors.
                    let error = f64::from(estimate - exact) / f64::from(estimate - lower) * 1.9;
                    drift += error;
                    spread += error * error;
                }
            }
            let (held, drift) = (held as f64 / f64::from(count), drift / f64::from(count));
            let spread = (spread / f64::from(count)).sqrt();
            println!(
                "{dimension} {metric} {}: held {held:.4}, error {drift:.4} ± {spread:.3}",
                kernel.name()
            );
            assert!(
                held >= 0.97,
                "{dimension} {metric} {}: {held}",
                kernel.name()
            );
            assert!(
                drift.abs() < 0.1,
                "{dimension} {metric} {}: {drift}",
                kernel.name()
            );
            assert!(
                (0.5..1.05).contains(&spread),
                "{dimension} {metric} {}: {spread}",
                kernel.name()
            );
        }
    }
}

/// Top ten by reranking every row whose lower bound does not exceed the tenth distance so far.
#[test]
fn recall_of_a_reranked_scan() {
    let mut random = Random(3);
    let rows = clustered(20_000, 128, &mut random);
    for metric in METRICS {
        let (quantizer, groups) = encoded(metric, &rows, kernel());
        let (mut found, mut reranked, queries) = (0, 0, 100);
        for query in rows.iter().step_by(rows.len() / queries) {
            let query: Vec<f32> = query.iter().map(|x| x + 0.1 * random.normal()).collect();
            let query = scaled(metric, &query);
            let mut truth: Vec<f32> = rows.iter().map(|row| exact(metric, row, &query)).collect();
            let mut nearest: Vec<f32> = Vec::new();
            for (row, (_, lower)) in scanned(&quantizer, &groups, &query)
                .into_iter()
                .take(rows.len())
                .enumerate()
            {
                let worst = if nearest.len() < 10 {
                    f32::INFINITY
                } else {
                    nearest[9]
                };
                if lower <= worst {
                    reranked += 1;
                    let at = nearest.partition_point(|key| *key <= truth[row]);
                    nearest.insert(at, truth[row]);
                    nearest.truncate(10);
                }
            }
            truth.sort_by(f32::total_cmp);
            found += nearest.iter().filter(|key| **key <= truth[9]).count();
        }
        let recall = found as f64 / (queries * 10) as f64;
        println!(
            "{metric}: recall@10 {recall:.4}, {} rows reranked per query",
            reranked / queries
        );
        assert!(recall >= 0.99, "{metric}: {recall}");
        assert!(
            reranked / queries <= 400,
            "{metric}: {}",
            reranked / queries
        );
    }
}

#[test]
fn groups_survive_as_bytes() {
    let mut random = Random(4);
    for (dimension, count) in [(3, 1), (64, 256), (100, 17), (784, 200)] {
        let rows = clustered(count, dimension, &mut random);
        let (quantizer, groups) = encoded(Metric::Dot, &rows, kernel());
        let padded = quantizer.rotation().padded();
        let mut bytes = vec![7];
        groups[0].write_to(&mut bytes);
        assert_eq!(bytes.len(), 1 + CodeGroup::byte_len(padded));
        assert_eq!(
            CodeGroup::from_bytes(&bytes[1..], padded).as_ref(),
            Some(&groups[0])
        );
        assert_eq!((groups[0].rows(), groups[0].padded()), (count, padded));
        assert_eq!(CodeGroup::from_bytes(&bytes, padded), None);
        assert_eq!(CodeGroup::from_bytes(&bytes[1..], padded + 64), None);
        // Two factors that are not numbers, and more rows than there can be.
        for (from_end, value) in [(4 + 512 + 4, f32::NAN), (4 + 512 + 1024 + 4, f32::INFINITY)] {
            let mut wrong = bytes[1..].to_vec();
            let at = wrong.len() - from_end;
            wrong[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert_eq!(CodeGroup::from_bytes(&wrong, padded), None);
        }
        let mut wrong = bytes[1..].to_vec();
        let at = wrong.len() - 4;
        wrong[at..].copy_from_slice(&257u32.to_le_bytes());
        assert_eq!(CodeGroup::from_bytes(&wrong, padded), None);
    }
}

#[test]
fn missing_rows_never_win() {
    let mut random = Random(5);
    let rows = clustered(300, 20, &mut random);
    for metric in METRICS {
        let (quantizer, groups) = encoded(metric, &rows, kernel());
        assert_eq!(groups[1].rows(), 44);
        for query in [
            random.vector(20),
            vec![0.0; 20],
            vec![1e30; 20],
            vec![f32::NAN; 20],
        ] {
            let keys = scanned(&quantizer, &groups, &query);
            assert!(
                keys[300..]
                    .iter()
                    .all(|key| *key == (f32::INFINITY, f32::INFINITY))
            );
            assert!(keys[..300].iter().all(|(_, lower)| *lower < f32::INFINITY));
        }
        let empty = quantizer.encode(std::iter::empty());
        let keys = scanned(&quantizer, &[empty], &rows[0]);
        assert!(
            keys.iter()
                .all(|key| *key == (f32::INFINITY, f32::INFINITY))
        );
    }
}

/// Rows and queries of every size against each other: a lower bound may be minus infinity, but
/// never NaN, and never above the distance by more than rounding.
#[test]
fn extremes() {
    const SIZES: [f32; 13] = [
        0.0,
        1e-45,
        1e-38,
        1e-30,
        1e-22,
        1e-16,
        1e-8,
        1.0,
        1e8,
        1e15,
        1e17,
        1e30,
        f32::MAX,
    ];
    for dimension in [1, 2, 3, 64, 100, 784] {
        let mut random = Random(6);
        let signs: Vec<f32> = random
            .vector(dimension)
            .iter()
            .map(|x| x.signum())
            .collect();
        let of = |size: f32| -> Vec<f32> { signs.iter().map(|sign| sign * size).collect() };
        let mut rows: Vec<Vec<f32>> = SIZES.into_iter().map(of).collect();
        rows.extend(
            SIZES
                .iter()
                .map(|size| [&[*size], &vec![0.0; dimension - 1][..]].concat()),
        );
        let centroids = [vec![0.0; dimension], of(1.0), of(1e10), of(1e30)];
        for (metric, centroid) in METRICS
            .into_iter()
            .flat_map(|m| centroids.iter().map(move |c| (m, c)))
        {
            for kernel in Kernel::all_supported() {
                let rotation = Arc::new(Rotation::with_kernel(dimension, 8, kernel));
                let quantizer = Quantizer::new(metric, rotation, centroid);
                let group = quantizer.encode(rows.iter().map(|row| (&row[..], 1.0)));
                for query in &rows {
                    let keys = scanned(&quantizer, std::slice::from_ref(&group), query);
                    for (row, (_, lower)) in rows.iter().zip(keys) {
                        assert!(!lower.is_nan());
                        let (row_size, query_size) = (norm(row), norm(query));
                        let exact: f64 = row
                            .iter()
                            .zip(query)
                            .map(|(x, q)| {
                                let (x, q) = (f64::from(*x), f64::from(*q));
                                if metric == Metric::Euclidean {
                                    (x - q) * (x - q)
                                } else {
                                    -x * q
                                }
                            })
                            .sum();
                        let rounding = match metric {
                            Metric::Euclidean => (row_size + query_size).powi(2),
                            Metric::Dot | Metric::Cosine => row_size * query_size,
                        } * 1e-6
                            + 1e-42;
                        assert!(
                            f64::from(lower) <= exact + rounding,
                            "{} {metric} {dimension}: |row| {row_size:e} |query| {query_size:e} |centroid| {:e}: {lower:e} > {exact:e}",
                            kernel.name(),
                            norm(centroid)
                        );
                    }
                }
            }
        }
    }
}

fn norm(v: &[f32]) -> f64 {
    v.iter()
        .map(|x| f64::from(*x) * f64::from(*x))
        .sum::<f64>()
        .sqrt()
}

/// A row at the centroid, and a query there: keys are exact, bounds close.
#[test]
fn at_the_centroid() {
    let mut random = Random(7);
    let centre = random.vector(128);
    let query = random.vector(128);
    for metric in [Metric::Dot, Metric::Euclidean] {
        let rotation = Arc::new(Rotation::new(128, 1));
        let quantizer = Quantizer::new(metric, rotation, &centre);
        let group = quantizer.encode([(&centre[..], 1.0), (&query[..], 1.0)].into_iter());
        let keys = scanned(&quantizer, std::slice::from_ref(&group), &query);
        let expected = exact(metric, &centre, &query);
        assert!((keys[0].0 - expected).abs() < 1e-3 && (keys[0].1 - expected).abs() < 1e-2);
        let keys = scanned(&quantizer, &[group], &centre);
        for (row, key) in [&centre, &query].into_iter().zip(keys) {
            let expected = exact(metric, row, &centre);
            assert!(
                (key.0 - expected).abs() < 1e-3,
                "{metric} {key:?} {expected}"
            );
            assert!(
                (key.1 - expected).abs() < 1e-2,
                "{metric} {key:?} {expected}"
            );
        }
    }
}

#[test]
fn centroid_is_the_mean() {
    let rows = [vec![1.0, 2.0], vec![3.0, -2.0]];
    let mean = centroid(rows.iter().map(|row| (&row[..], 0.5)), 2);
    assert_eq!(mean, [1.0, 0.0]);
    assert_eq!(centroid(std::iter::empty(), 2), [0.0, 0.0]);
    let huge = [f32::MAX, f32::MAX];
    assert_eq!(
        centroid([(&huge[..], 1.0), (&huge[..], 1.0)].into_iter(), 2),
        huge
    );
    assert_eq!(centroid([(&huge[..], 2.0)].into_iter(), 2), [0.0, 0.0]);
}
