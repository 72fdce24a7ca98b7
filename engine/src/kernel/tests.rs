//! Every supported kernel against the scalar reference.
use super::dispatch::choose;
use super::group::COLUMN_LINES;
use super::{
    BLOCK_ROWS, BlockFactors, BlockRef, Factors, Floats, GROUP_ROWS, Kernel, Keys, Line, Scan,
    TILE, Terms, block_bytes, fill_tiles, kernel, scalar,
};
use proptest::collection::vec;
use proptest::prelude::*;

const REFERENCE: &Kernel = &scalar::KERNEL;

/// Components of all sizes whose products still add up within range, zeros and denormals included.
fn component() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => -1.0f32..1.0,
        1 => -1e17f32..1e17,
        1 => -1e-30f32..1e-30,
        1 => Just(0.0f32),
        1 => Just(-0.0f32),
        1 => Just(1e-45f32),
    ]
}

fn pairs() -> impl Strategy<Value = Vec<(f32, f32)>> {
    vec((component(), component()), 0..400)
}

/// The same values from an address that is not aligned.
fn shifted(values: &[f32]) -> Vec<f32> {
    [&[0.0], values].concat()
}

fn assert_near(actual: f32, expected: f32, magnitude: f32) {
    let tolerance = magnitude * 1e-5 + 1e-37;
    assert!(
        (actual - expected).abs() <= tolerance,
        "{actual} is not {expected}"
    );
}

proptest! {
    #[test]
    fn distances(pairs in pairs()) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let size = |f: &dyn Fn(f32, f32) -> f32| a.iter().zip(&b).map(|(x, y)| f(*x, *y)).sum();
        let product: f32 = size(&|x, y| (x * y).abs());
        let square: f32 = size(&|x, y| (x - y) * (x - y));
        for kernel in Kernel::all_supported() {
            assert_near(kernel.dot(&a, &b), REFERENCE.dot(&a, &b), product);
            let squared = kernel.squared_euclidean(&a, &b);
            assert_near(squared, REFERENCE.squared_euclidean(&a, &b), square);
            assert!(squared >= 0.0);
            let (c, d) = (shifted(&a), shifted(&b));
            prop_assert_eq!(kernel.dot(&c[1..], &d[1..]).to_bits(), kernel.dot(&a, &b).to_bits());
            let again = kernel.squared_euclidean(&c[1..], &d[1..]);
            prop_assert_eq!(again.to_bits(), squared.to_bits());
        }
    }

    #[test]
    fn finding_what_is_not_finite(
        mut values in vec(component(), 1..3000),
        spots in vec((any::<prop::sample::Index>(), 0..3usize), 0..3),
    ) {
        let length = values.len();
        let mut first = None;
        for (spot, kind) in spots {
            let at = spot.index(length);
            values[at] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][kind];
            first = Some(first.unwrap_or(at).min(at));
        }
        for kernel in Kernel::all_supported() {
            prop_assert_eq!(kernel.first_non_finite(&values), first, "{}", kernel.name());
        }
    }

    #[test]
    fn hadamard_stages(power in 0u32..14, seed in vec(component(), 1..50)) {
        let input: Vec<f32> = seed.iter().copied().cycle().take(1 << power).collect();
        let flips: Vec<f32> = seed.iter().rev().map(|x| x.signum()).cycle().take(1 << power).collect();
        let mut expected = input.clone();
        REFERENCE.hadamard(&mut expected);
        let mut flipped = input.clone();
        REFERENCE.flip_hadamard(&mut flipped, &flips);
        for kernel in Kernel::all_supported() {
            let mut actual = shifted(&input);
            kernel.hadamard(&mut actual[1..]);
            prop_assert_eq!(&actual[1..], &expected[..], "{}", kernel.name());
            let mut actual = input.clone();
            kernel.flip_hadamard(&mut actual, &flips);
            prop_assert_eq!(&actual, &flipped, "{}", kernel.name());
        }
    }

    #[test]
    fn componentwise(pairs in pairs(), scale in component()) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let run = |kernel: &Kernel| {
            let mut product = a.clone();
            kernel.multiply(&mut product, &b);
            let (mut sum, mut difference) = (a.clone(), b.clone());
            kernel.butterfly(&mut sum, &mut difference);
            let mut residual = vec![0.0; a.len()];
            kernel.residual(&a, scale, &b, &mut residual);
            [product, sum, difference, residual]
        };
        for kernel in Kernel::all_supported() {
            prop_assert_eq!(run(kernel), run(REFERENCE), "{}", kernel.name());
        }
    }

    #[test]
    fn sums_and_signs(blocks in 1..12usize, seed in vec((component(), component()), 64..700)) {
        let (r, c): (Vec<f32>, Vec<f32>) = seed.into_iter().cycle().take(blocks * 64).unzip();
        let mut expected_bits = vec![0xaa; blocks * 8];
        let expected = REFERENCE.moments(&r, &c, &mut expected_bits);
        let along: f32 = r.iter().zip(&c).map(|(x, y)| (x * y).abs()).sum();
        for kernel in Kernel::all_supported() {
            let mut bits = vec![0x55; blocks * 8];
            let moments = kernel.moments(&r, &c, &mut bits);
            prop_assert_eq!(&bits, &expected_bits, "{}", kernel.name());
            assert_near(moments.absolute, expected.absolute, expected.absolute);
            assert_near(moments.squared, expected.squared, expected.squared);
            assert_near(moments.along, expected.along, along);
        }
    }

    #[test]
    fn tables(blocks in 1..12usize, seed in vec(component(), 1..700), size in -36i32..17) {
        let size = 10f32.powi(size);
        let r: Vec<f32> = seed.iter().cycle().take(blocks * 64).map(|x| x.clamp(-1.0, 1.0) * size).collect();
        let mut expected = vec![0; r.len() * 4];
        let step = REFERENCE.fill_table(&r, &mut expected);
        for kernel in Kernel::all_supported() {
            let mut table = vec![1; r.len() * 4];
            prop_assert_eq!(kernel.fill_table(&r, &mut table), step);
            for (actual, expected) in table.iter().zip(&expected) {
                prop_assert!(actual.abs_diff(*expected) <= 1, "{}", kernel.name());
            }
            for eight in table.chunks(128) {
                let largest = eight.chunks(16).map(|t| u32::from(t[15]).max(t.iter().copied().max().unwrap().into()));
                prop_assert!(largest.sum::<u32>() <= 255);
            }
        }
    }

    #[test]
    fn masks(values in vec(prop_oneof![8 => -2.0f32..2.0, 1 => Just(f32::NAN), 1 => Just(f32::NEG_INFINITY), 1 => Just(f32::INFINITY)], GROUP_ROWS), threshold in prop_oneof![4 => -1.0f32..1.0, 1 => Just(f32::INFINITY), 1 => Just(f32::NAN)]) {
        let mut keys = Keys::default();
        keys.copy_from_slice(&values);
        for kernel in Kernel::all_supported() {
            let mask = kernel.mask_below(&keys, threshold);
            for (row, value) in values.iter().enumerate() {
                prop_assert_eq!(mask[row / 64] >> (row % 64) & 1 == 1, *value <= threshold);
            }
        }
    }

    #[test]
    fn scans(seed in any::<u64>(), blocks in 1..16usize) {
        scan_like_scalar(blocks * 64, seed);
    }
}

/// Sizes around the span of 16-bit sums, with tables as full as they may be.
#[test]
fn long_scans() {
    for padded in [8128, 8192, 8256, 16_384, 65_536] {
        scan_like_scalar(padded, padded as u64);
    }
}

fn numbers(seed: u64) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    }
}

fn scan_like_scalar(padded: usize, seed: u64) {
    let mut random = numbers(seed);
    let mut codes = vec![Line::ZERO; padded / 8 * COLUMN_LINES];
    Line::bytes_mut(&mut codes).fill_with(|| random() as u8);
    let mut table: Vec<u8> = (0..padded * 4).map(|_| (random() % 32) as u8).collect();
    // Rows of all ones hit entry 15: sums as large as they come.
    for entries in table.chunks_mut(128) {
        entries[15] = 31 + 7;
    }
    for column in codes.chunks_mut(COLUMN_LINES) {
        column[0].0[..8].fill(0xff);
        column[3].0[56..].fill(0xff);
    }
    let mut factors = Factors::ZERO;
    for row in 0..GROUP_ROWS {
        factors.add[row] = random() as f32 / 1e9;
        factors.scale[row] = random() as f32 / 1e10;
        factors.error[Factors::error_at(row)] = 0x3c00 + (row % 64) as u16;
    }
    factors.error[Factors::error_at(77)] = 0x7f80;
    let terms = Terms {
        step: 0.01,
        offset: -3.0,
        shared: 2.0,
        spread: 1.5,
        slack: 0.125,
    };
    let scan = Scan {
        table: &table,
        codes: &codes,
        factors: &factors,
        terms,
    };
    let (mut expected, mut expected_lower) = (Keys::default(), Keys::default());
    REFERENCE.scan_group(&scan, &mut expected, &mut expected_lower);
    for kernel in Kernel::all_supported() {
        let (mut estimates, mut lower) = (Keys::default(), Keys::default());
        kernel.scan_group(&scan, &mut estimates, &mut lower);
        for row in 0..GROUP_ROWS {
            let magnitude = 10.0 + expected[row].abs();
            assert_near(estimates[row], expected[row], magnitude);
            if row == 77 {
                assert_eq!(lower[row], f32::NEG_INFINITY);
            } else {
                assert_near(lower[row], expected_lower[row], magnitude);
            }
        }
        blocks_like_group(kernel, &scan, &estimates, &lower);
    }
}

/// The rows of each line of a group, scanned as a block from the bytes of a file, have the keys that
/// the group's scan gave them.
fn blocks_like_group(kernel: &Kernel, scan: &Scan<'_>, estimates: &Keys, lower: &Keys) {
    let columns = scan.codes.as_chunks::<COLUMN_LINES>().0;
    for line in 0..COLUMN_LINES {
        let rows = line * BLOCK_ROWS..(line + 1) * BLOCK_ROWS;
        let mut factors = BlockFactors::ZERO;
        factors.add.copy_from_slice(&scan.factors.add[rows.clone()]);
        let scale = &scan.factors.scale[rows.clone()];
        factors.scale.copy_from_slice(scale);
        let error = &scan.factors.error[rows.clone()];
        factors.error.copy_from_slice(error);
        // A row whose bound is no number.
        factors.add[5] = f32::NAN;
        let codes: Vec<Line> = columns.iter().map(|lines| lines[line]).collect();
        let written = [Line::bytes(&codes), factors.bytes()].concat();
        let mut lines = vec![Line::ZERO; written.len() / 64];
        Line::bytes_mut(&mut lines).copy_from_slice(&written);
        let bytes = Line::bytes(&lines);
        let block = BlockRef::from_bytes(bytes, columns.len() * 8).unwrap();
        assert_eq!(block.codes, codes);
        assert_eq!(block.factors.bytes(), factors.bytes());
        let (estimates, lower) = (&estimates[rows.clone()], &lower[rows]);
        let thresholds = [lower[9], lower[40], f32::INFINITY, f32::NAN, -1e9];
        for threshold in thresholds {
            let (mut its_estimates, mut its_lower) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
            let word = kernel.scan_block(
                scan.table,
                &scan.terms,
                &block,
                threshold,
                &mut its_estimates,
                &mut its_lower,
            );
            assert!(its_estimates[5].is_nan() && its_lower[5].is_nan());
            for row in (0..BLOCK_ROWS).filter(|row| *row != 5) {
                assert_eq!(its_estimates[row].to_bits(), estimates[row].to_bits());
                assert_eq!(its_lower[row].to_bits(), lower[row].to_bits());
            }
            let expected = its_lower.iter().enumerate();
            let expected = expected.fold(0, |word, (row, &lower)| {
                word | u64::from(lower <= threshold) << row
            });
            assert_eq!(word, expected, "{}", kernel.name());
        }
    }
}

#[test]
fn blocks_that_are_none() {
    let lines = vec![Line::ZERO; block_bytes(192) / 64 + 2];
    let bytes = Line::bytes(&lines);
    let length = block_bytes(192);
    assert_eq!(length, 192 * 8 + 640);
    let block = BlockRef::from_bytes(&bytes[64..][..length], 192).unwrap();
    assert_eq!(
        (block.codes.len(), block.factors),
        (24, &BlockFactors::ZERO)
    );
    assert!(BlockRef::from_bytes(&bytes[..length], 128).is_none());
    assert!(BlockRef::from_bytes(&bytes[..length - 64], 192).is_none());
    assert!(BlockRef::from_bytes(&bytes[..length + 64], 192).is_none());
    assert!(BlockRef::from_bytes(&bytes[32..][..length], 192).is_none());
    assert!(BlockRef::from_bytes(&bytes[..block_bytes(184)], 184).is_none());
    assert!(BlockRef::from_bytes(&[], 0).is_none());
}

#[test]
fn products_of_tiles() {
    for dimension in [1, 2, 17, 64, 100, 127, 128, 129, 832] {
        for rows in [0, 1, 2, 3, 7, 33] {
            for vectors in [0, 1, 16, 17, 100, 150] {
                multiply_like_scalar(rows, vectors, dimension);
            }
        }
    }
    // More rows than are taken at a time; more components than a row may have.
    multiply_like_scalar(1100, 40, 128);
    multiply_like_scalar(31, 3, 65_536);
    multiply_like_scalar(2, 3, 70_000);
}

fn multiply_like_scalar(rows: usize, vectors: usize, dimension: usize) {
    let mut random = numbers((rows * 1000 + vectors) as u64);
    let mut component = move || random() as f32 / (1u32 << 30) as f32 - 1.0;
    let mut some = |length: usize| (0..length).map(|_| component()).collect::<Vec<f32>>();
    let (values, other) = (some(rows * dimension), some(vectors * dimension));
    let tiles = fill_tiles(other.chunks(dimension), dimension);
    let width = vectors.div_ceil(TILE) * TILE;
    assert_eq!(tiles.len(), width * dimension);
    let mut expected = vec![f32::NAN; rows * width];
    REFERENCE.tile_products(&values, dimension, &tiles, &mut expected);
    for kernel in Kernel::all_supported() {
        let mut products = vec![f32::NAN; rows * width];
        kernel.tile_products(&values, dimension, &tiles, &mut products);
        for (at, (&product, &expected)) in products.iter().zip(&expected).enumerate() {
            if at % width < vectors {
                assert_near(product, expected, dimension as f32);
            } else {
                assert_eq!(product.to_bits(), 0, "{}", kernel.name());
            }
        }
        // Each pair alone, from memory that is not aligned, has the same product to the bit.
        for at in (0..products.len()).step_by(products.len() / 19 + 1) {
            let (row, vector) = (at / width, at % width);
            if vector >= vectors {
                continue;
            }
            let row = shifted(&values[row * dimension..][..dimension]);
            let vector = &other[vector * dimension..][..dimension];
            let tile = shifted(&fill_tiles([vector].into_iter(), dimension));
            let mut alone = [f32::NAN; 1 + TILE];
            kernel.tile_products(&row[1..], dimension, &tile[1..], &mut alone[1..]);
            assert_eq!(
                alone[1].to_bits(),
                products[at].to_bits(),
                "{}",
                kernel.name()
            );
        }
    }
}

/// The reference against products of whole numbers, which are exact.
#[test]
fn products_are_where_they_belong() {
    let (rows, vectors, dimension) = (3, 21, 5);
    let value = |of: usize, d: usize| ((of * 7 + d * 3) % 11) as f32 - 5.0;
    let flat = |count: usize, shift: usize| -> Vec<f32> {
        let values = (0..count).flat_map(|i| (0..dimension).map(move |d| value(i + shift, d)));
        values.collect()
    };
    let (a, b) = (flat(rows, 0), flat(vectors, 100));
    let mut products = Floats::zeros(rows * 2 * TILE);
    let tiles = fill_tiles(b.chunks(dimension), dimension);
    REFERENCE.tile_products(&a, dimension, &tiles, &mut products);
    for row in 0..rows {
        for vector in 0..vectors {
            let exact: f32 = (0..dimension)
                .map(|d| value(row, d) * value(vector + 100, d))
                .sum();
            assert_eq!(products[row * 2 * TILE + vector], exact);
        }
    }
}

#[test]
fn choosing_by_name() {
    assert_eq!(choose(Some("scalar")).name(), "scalar");
    let widest = Kernel::all_supported().last().map(|kernel| kernel.name());
    assert_eq!(Some(choose(Some("abacus")).name()), widest);
    assert_eq!(Some(choose(None).name()), widest);
    assert!(
        Kernel::all_supported()
            .iter()
            .any(|k| k.name() == kernel().name())
    );
}

#[test]
fn prefetching_any_row() {
    for length in [0, 1, 16, 17, 128, 5000] {
        super::prefetch(&vec![0.0; length]);
    }
}

/// The reference against whole numbers, which are exact, and the others against the reference.
#[test]
fn products_with_8_bit_components() {
    for length in [64, 128, 832] {
        let codes: Vec<i8> = (0..length).map(|i| (i * 37 % 255) as u8 as i8).collect();
        let vector: Vec<f32> = (0..length).map(|i| (i * 11 % 7) as f32 - 3.0).collect();
        let pairs = codes.iter().zip(&vector);
        let exact: f32 = pairs.map(|(code, value)| f32::from(*code) * value).sum();
        for kernel in Kernel::all_supported() {
            assert_eq!(kernel.dot_i8(&codes, &vector), exact, "{}", kernel.name());
        }
    }
}
