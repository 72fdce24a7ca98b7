//! `kernels`: the engine's inner loops, by instruction set and dimension.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use nearfield::Metric;
use nearfield_engine::index::{
    CodeGroup, EPSILON, GROUP_ROWS, Keys, Quantizer, QueryCode, Rotation, centroid,
};
use nearfield_engine::kernel::{
    BLOCK_ROWS, BlockFactors, BlockRef, Floats, Kernel, Line, TILE, Terms, block_bytes, fill_tiles,
};
use serde::Serialize;

use crate::Result;
use crate::machine::Machine;
use crate::random::Random;
use crate::report::{Cell, Report, Table};

/// The engine's inner loops, by kernel and dimension
#[derive(Args, Debug, Serialize)]
pub(crate) struct Kernels {
    #[arg(long, value_delimiter = ',', default_values_t = [128, 384, 784])]
    dim: Vec<usize>,
    /// Rows that one scan goes over
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
    #[arg(long, default_value_t = 9)]
    rounds: usize,
}

/// Groups that are made; a scan goes over copies of them.
const GROUPS: usize = 8;
/// Vectors that stay in the nearest cache.
const DOT_ROWS: usize = 16;
const DOT_CALLS: usize = 2_000;
const PREPARE_CALLS: usize = 64;
/// Rows and vectors whose products are taken at once, and the vectors' tiles.
const PRODUCT_ROWS: usize = 256;
const PRODUCT_TILES: usize = 64;
/// Turns of one kernel in one round.
const TURNS: usize = 5;

/// What one kernel works on.
struct Bench {
    kernel: &'static Kernel,
    dimension: usize,
    values: Vec<f32>,
    quantizer: Quantizer,
    groups: Vec<CodeGroup>,
    rotated: Vec<f32>,
    code: QueryCode,
    /// Blocks of random codes, one after another.
    blocks: Vec<Line>,
    table: Vec<u8>,
    terms: Terms,
    tiles: Floats,
    products: Floats,
}

/// Figures of one round.
#[derive(Clone, Copy)]
struct Figures {
    encode_ns: f64,
    prepare_ns: f64,
    scan_us: f64,
    block_scan_us: f64,
    gflops: f64,
    dot_ns: f64,
    distance_ns: f64,
}

impl Kernels {
    pub(crate) fn run(&self) -> Result<Report> {
        if self.dim.is_empty() || self.rows == 0 || self.rounds == 0 {
            return Err("give at least one dimension, row and round".into());
        }
        if self.dim.iter().any(|dim| !(1..=65_536).contains(dim)) {
            return Err("dimensions are 1 to 65,536".into());
        }
        let here = std::env::current_dir()?;
        let mut report = Report::new(
            "kernels",
            Machine::describe(&here),
            serde_json::to_value(self)?,
        );
        let columns = [
            "kernel",
            "encode ns/row",
            "prepare query ns",
            "scan us",
            "block scan us",
            "tile products GFLOP/s",
            "dot ns",
            "distance ns",
            "scan, times scalar",
            "encode, times scalar",
        ];
        for dimension in self.dim.iter().copied() {
            let mut benches: Vec<Bench> = Kernel::all_supported()
                .into_iter()
                .map(|kernel| Bench::new(kernel, dimension, self.rows))
                .collect();
            let mut rounds: Vec<Vec<Figures>> = benches.iter().map(|_| Vec::new()).collect();
            for _ in 0..self.rounds {
                for (bench, figures) in benches.iter_mut().zip(&mut rounds) {
                    figures.push(bench.round(self.rows));
                }
            }
            let title = format!("dimension {dimension}, scan of {} rows", self.rows);
            let mut table = Table::new(title, &columns);
            for (bench, its) in benches.iter().zip(&rounds) {
                let over = |value: fn(&Figures) -> f64| Cell::spread(its.iter().map(value));
                let faster = |value: fn(&Figures) -> f64| {
                    let pairs = its.iter().zip(&rounds[0]);
                    Cell::spread(pairs.map(|(it, scalar)| value(scalar) / value(it)))
                };
                table.row(vec![
                    bench.kernel.name().into(),
                    over(|f| f.encode_ns),
                    over(|f| f.prepare_ns),
                    over(|f| f.scan_us),
                    over(|f| f.block_scan_us),
                    over(|f| f.gflops),
                    over(|f| f.dot_ns),
                    over(|f| f.distance_ns),
                    faster(|f| f.scan_us),
                    faster(|f| f.encode_ns),
                ]);
            }
            report.push(table);
        }
        Ok(report)
    }
}

impl Bench {
    fn new(kernel: &'static Kernel, dimension: usize, rows: usize) -> Bench {
        let mut values = vec![0.0; GROUPS * GROUP_ROWS * dimension];
        Random::new(1).fill_normal(&mut values, 1.0);
        let rotation = Arc::new(Rotation::with_kernel(dimension, 1, kernel));
        let with_scale = || values.chunks_exact(dimension).map(|row| (row, 1.0));
        let mean = centroid(with_scale(), dimension);
        let quantizer = Quantizer::new(Metric::Euclidean, rotation.clone(), &mean);
        let mut rest = with_scale();
        let made: Vec<CodeGroup> = (0..GROUPS).map(|_| quantizer.encode(&mut rest)).collect();
        let groups = made.iter().cycle().take(rows.div_ceil(GROUP_ROWS)).cloned();
        let mut rotated = vec![0.0; rotation.padded()];
        rotation.apply(&values[..dimension], &mut rotated);
        let padded = rotation.padded();
        let (columns, blocks) = (padded / 8, rows.div_ceil(BLOCK_ROWS));
        let mut lines = vec![Line::ZERO; blocks * block_bytes(padded) / 64];
        let mut random = Random::new(2);
        for block in Line::bytes_mut(&mut lines).chunks_exact_mut(block_bytes(padded)) {
            let (codes, factors) = block.split_at_mut(columns * 64);
            for codes in codes.as_chunks_mut().0 {
                *codes = random.next().to_le_bytes();
            }
            factors.copy_from_slice(BlockFactors::ZERO.bytes());
        }
        let mut table = vec![0; padded * 4];
        let step = kernel.fill_table(&rotated, &mut table);
        let vectors = values.chunks_exact(dimension).take(PRODUCT_TILES * TILE);
        let tiles = fill_tiles(vectors, dimension);
        Bench {
            blocks: lines,
            table,
            terms: Terms {
                step,
                spread: EPSILON,
                ..Terms::default()
            },
            products: Floats::zeros(PRODUCT_ROWS * PRODUCT_TILES * TILE),
            tiles,
            groups: groups.collect(),
            code: quantizer.query(&rotated, EPSILON),
            kernel,
            dimension,
            quantizer,
            rotated,
            values,
        }
    }

    fn round(&mut self, rows: usize) -> Figures {
        let encode_ns = 1e9
            * fastest(GROUPS * GROUP_ROWS, || {
                let mut rest = self
                    .values
                    .chunks_exact(self.dimension)
                    .map(|row| (row, 1.0));
                for _ in 0..GROUPS {
                    black_box(self.quantizer.encode(&mut rest));
                }
            });
        let prepare_ns = 1e9
            * fastest(PREPARE_CALLS, || {
                for _ in 0..PREPARE_CALLS {
                    self.quantizer
                        .query_into(black_box(&self.rotated), EPSILON, &mut self.code);
                }
            });
        let scanned = self.groups.len() * GROUP_ROWS;
        let scan_us = 1e6
            * rows as f64
            * fastest(scanned, || {
                black_box(scan(&self.code, &self.groups));
            });
        let block_scan_us = 1e6
            * rows as f64
            * fastest(rows.div_ceil(BLOCK_ROWS) * BLOCK_ROWS, || {
                black_box(self.scan_blocks());
            });
        let pairs = PRODUCT_ROWS * PRODUCT_TILES * TILE;
        let product_s = fastest(pairs, || {
            let rows = &self.values[..PRODUCT_ROWS * self.dimension];
            let products = &mut self.products;
            self.kernel
                .tile_products(black_box(rows), self.dimension, &self.tiles, products);
            black_box(products);
        });

        Figures {
            encode_ns,
            prepare_ns,
            scan_us,
            block_scan_us,
            gflops: 2.0 * self.dimension as f64 / product_s / 1e9,
            dot_ns: self.pairs(|kernel, a, b| kernel.dot(a, b)),
            distance_ns: self.pairs(|kernel, a, b| kernel.squared_euclidean(a, b)),
        }
    }

    /// As [`scan`], of blocks.
    fn scan_blocks(&self) -> u32 {
        let (mut estimates, mut lower) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
        let padded = self.rotated.len();
        let blocks = Line::bytes(&self.blocks).chunks_exact(block_bytes(padded));
        let mut near = 0;
        for block in blocks.filter_map(|bytes| BlockRef::from_bytes(bytes, padded)) {
            let (table, terms) = (&self.table, &self.terms);
            let scan =
                self.kernel
                    .scan_block(table, terms, &block, 0.0, &mut estimates, &mut lower);
            near += scan.count_ones();
        }
        near
    }

    fn pairs(&self, of: impl Fn(&Kernel, &[f32], &[f32]) -> f32) -> f64 {
        let row = |number: usize| &self.values[number * self.dimension..][..self.dimension];
        1e9 * fastest(DOT_CALLS, || {
            let mut sum = 0.0;
            for call in 0..DOT_CALLS {
                sum += of(self.kernel, black_box(row(call % DOT_ROWS)), row(DOT_ROWS));
            }
            black_box(sum);
        })
    }
}

/// Looks at all codes, and keeps nothing: the least that a search of them takes.
pub(super) fn scan(code: &QueryCode, groups: &[CodeGroup]) -> u32 {
    let (mut estimates, mut lower) = (Keys::default(), Keys::default());
    let mut near = 0;
    for (number, group) in groups.iter().enumerate() {
        if let Some(next) = groups.get(number + 1) {
            next.prefetch();
        }
        code.scan(group, &mut estimates, &mut lower);
        near += code
            .near(&lower, 0.0)
            .iter()
            .map(|word| word.count_ones())
            .sum::<u32>();
    }
    near
}

/// Seconds per unit of work: the fastest of a few turns, which are short enough for one of them
/// to have the core to itself.
fn fastest(units: usize, mut work: impl FnMut()) -> f64 {
    let turn = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let turns = (0..TURNS).map(|_| turn(&mut work));
    turns.fold(f64::INFINITY, f64::min) / units as f64
}
