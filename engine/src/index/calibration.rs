//! Recall on request: how many lists to probe, and how far below an estimate to take a row for
//! near, measured on the collection's own rows.
//!
//! Some rows play the queries; their true nearest are found by comparing all rows. For each of
//! these neighbours two numbers say what finding it takes: the *rank* of its list among those
//! that are probed, nearest first, and its *deviation*, the standard errors by which its
//! estimate lies beyond the distance of the last neighbour wanted. A search of `probes` lists
//! with bounds `epsilon` standard errors below the estimates finds a neighbour whose rank is
//! within the one and whose deviation is within the other. Of the pairs that find enough, the
//! cheapest is kept.
use std::collections::BinaryHeap;

use nearfield_model::{Error, Metric, Result};

use super::cell::RowFactors;
use super::coded::{CodedRows, rotate};
use super::effort::{Calibration, Effort, slant};
use super::model::{Coarse, Model};
use super::random::SplitMix;
use crate::kernel::{Floats, TILE, fill_tiles};
use crate::points::View;
use crate::storage::Schema;

/// Recalls that are measured; what is asked for is rounded up to the next, in between linearly.
const RECALLS: [f32; 10] = [0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999];
/// Numbers of neighbours that are measured.
const LIMITS: [usize; 3] = [10, 100, 1_000];
/// Rows that play queries, for up to [`LIMITS`]`[0]` neighbours and for more.
const QUERIES: usize = 512;
const QUERIES_WIDE: usize = 64;
/// Above so many rows, half the queries do.
const ROWS_MANY: u32 = 400_000;
/// Share of what may be lost that is held back against chance.
const RESERVE: f32 = 0.2;
/// Steps of epsilon that are tried, in tenths.
const EPSILON_STEPS: std::ops::RangeInclusive<u32> = 2..=40;
/// Rows between two looks at whether to stop.
const STEP_ROWS: usize = 512;

/// A neighbour of a query.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Neighbour {
    key: f32,
    row: u32,
}

impl Eq for Neighbour {}

impl Ord for Neighbour {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key
            .total_cmp(&other.key)
            .then(self.row.cmp(&other.row))
    }
}

impl PartialOrd for Neighbour {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A row that plays a query: its number, and itself rotated.
pub(crate) struct Player {
    row: u32,
    rotated: Floats,
}

/// What finding a neighbour takes.
#[derive(Clone, Copy, Debug)]
struct Need {
    rank: u32,
    deviation: f32,
    slant: f32,
}

/// Bytes that calibrating takes, for a collection of so many rows: rows with the players and
/// their products, then the neighbours with their codes and needs.
pub(crate) fn passing_bytes(rows: u64, padded: usize) -> u64 {
    let comparing = 4 * (STEP_ROWS * (padded + QUERIES) + 2 * QUERIES * padded);
    let most = usize::try_from(rows).unwrap_or(usize::MAX);
    let neighbours = QUERIES_WIDE * LIMITS[2].min(most) + QUERIES * LIMITS[0].min(most);
    let coded = size_of::<RowFactors>() + 6 + padded / 8;
    // A need is sorted, and kept in halves besides.
    let each = 2 * size_of::<Neighbour>() + 4 * size_of::<Need>() + coded;
    (comparing + neighbours * each) as u64
}

/// Measures a model on the live rows of a view. `stop` is asked now and then whether to give up
/// (then `None` comes back). Rows for which `spare` is true do not play queries: they were
/// trained on.
pub(crate) fn calibrate(
    model: &Model,
    schema: &Schema,
    view: &View,
    spare: &dyn Fn(u32) -> bool,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Calibration>> {
    let players = players(model, schema, view, spare)?;
    if players.is_empty() {
        return Ok(Some(Calibration {
            rows: view.count(),
            written: view.rows,
            ..Calibration::default()
        }));
    }
    let Some(nearest) = nearest_rows(model, schema, view, &players, stop)? else {
        return Ok(None);
    };
    let Some(coded) = code_once(model, schema, view, &nearest, stop)? else {
        return Ok(None);
    };
    let spread = spread_of(model, &players);
    let mut needs: [Vec<Vec<Need>>; LIMITS.len()] = Default::default();
    let mut compared = vec![Vec::new(); LIMITS.len()];
    for (player, nearest) in players.iter().zip(&nearest) {
        if stop() {
            return Ok(None);
        }
        let (rank, away) = ranks(model, player);
        let squared = model
            .rotation
            .kernel()
            .dot(&player.rotated, &player.rotated);
        let beyond = deviations(model, &coded, player, nearest)?;
        for (at, limit) in LIMITS.into_iter().enumerate() {
            // Queries with fewer neighbours say nothing of this limit, unless there are no
            // more rows.
            let there = nearest.len().min(limit);
            if there < limit && nearest.len() < LIMITS[0] {
                continue;
            }
            if there < limit && at > 0 {
                continue;
            }
            let last = nearest[there - 1].key;
            let deviation = |(estimate, error, _): &(f32, f32, u16)| {
                let beyond = (estimate - last) / error.max(f32::MIN_POSITIVE);
                if beyond.is_nan() { 0.0 } else { beyond }
            };
            needs[at].push(
                beyond[..there]
                    .iter()
                    .map(|found| Need {
                        rank: rank[usize::from(found.2)],
                        deviation: deviation(found),
                        slant: slant_of(
                            model.metric,
                            squared,
                            away[usize::from(found.2)],
                            last,
                            spread,
                        ),
                    })
                    .collect(),
            );
            compared[at].extend(beyond.iter().map(deviation));
        }
    }
    let padded = model.padded() as f64;
    let mean_list = view.count() as f64 / model.lists() as f64;
    // Nanoseconds: a list, with its table and its rows' codes; and an exact comparison.
    let probe_cost = 150.0 + padded * 1.5 + mean_list * padded * 0.005;
    let compare_cost = 80.0 + schema.dimension as f64 * 0.3;
    let mut efforts = Vec::new();
    for (at, limit) in LIMITS.into_iter().enumerate() {
        if needs[at].is_empty() {
            continue;
        }
        let queries = needs[at].len() as f64;
        compared[at].sort_unstable_by(f32::total_cmp);
        let costs = |probes: u32, epsilon: f32| {
            let compared = compared[at].partition_point(|deviation| *deviation <= epsilon);
            f64::from(probes) * probe_cost + compared as f64 / queries * compare_cost
        };
        let halves = [0, 1].map(|half| {
            let half = needs[at].iter().skip(half).step_by(2);
            half.cloned().collect::<Vec<_>>()
        });
        let of_halves = halves.each_ref().map(|half| Choices::new(half));
        let of_all = Choices::new(&needs[at]);
        let mut floor = (1, 0.0_f32);
        for (place, recall) in RECALLS.into_iter().enumerate() {
            // Each half is measured by what the other would have chosen.
            let measured = [(0, 1), (1, 0)].map(|(chosen, measured)| {
                measure(&halves[measured], of_halves[chosen].cheapest(place, &costs))
            });
            let mut effort = of_all.cheapest(place, &costs);
            // More recall never takes less.
            effort.0 = effort.0.max(floor.0);
            effort.1 = effort.1.max(floor.1);
            floor = effort;
            efforts.push(Effort {
                limit: limit as u32,
                recall,
                probes: effort.0,
                epsilon: effort.1,
                // The index's document is JSON, which has no infinity.
                slant: widest_slant(&needs[at], recall).clamp(f32::MIN, f32::MAX),
                measured: (measured[0] + measured[1]) / 2.0,
            });
        }
    }
    Ok(Some(Calibration {
        rows: view.count(),
        written: view.rows,
        spread,
        efforts,
    }))
}

/// The slant of a list, from keys without the query's own square; infinite where keys are no
/// distances.
fn slant_of(metric: Metric, squared: f32, list: f32, row: f32, spread: f32) -> f32 {
    let slant = match metric {
        Metric::Euclidean => slant(list + squared, row + squared, spread),
        Metric::Cosine => slant(list + squared, 2.0 * row + 2.0, spread),
        Metric::Dot => return f32::INFINITY,
    };
    if slant.is_nan() { f32::INFINITY } else { slant }
}

/// The mean squared distance of the players to the nearest centroid.
fn spread_of(model: &Model, players: &[Player]) -> f32 {
    let mut coarse = Coarse::default();
    let mut sum = 0.0;
    for player in players {
        let squared = model
            .rotation
            .kernel()
            .dot(&player.rotated, &player.rotated);
        let away = model.distances(&player.rotated, &mut coarse);
        sum += away.iter().copied().fold(f32::INFINITY, f32::min) + squared;
    }
    let mean = sum / players.len().max(1) as f32;
    if mean.is_finite() { mean.max(0.0) } else { 0.0 }
}

/// The slant of the lists of enough of the neighbours.
fn widest_slant(needs: &[Vec<Need>], recall: f32) -> f32 {
    let mut all: Vec<f32> = needs.iter().flatten().map(|need| need.slant).collect();
    let wanted = (all.len() as f32 * aim(recall)).ceil() as usize;
    let Some(at) = wanted.min(all.len()).checked_sub(1) else {
        return f32::INFINITY;
    };
    *all.select_nth_unstable_by(at, f32::total_cmp).1
}

/// The share of neighbours that is to be found in the sample, so that chance does not leave
/// fewer elsewhere.
fn aim(recall: f32) -> f32 {
    recall + (1.0 - recall) * RESERVE
}

/// The pairs of probes and epsilon that there are to choose from.
struct Choices {
    /// Probes that look into the lists of all neighbours.
    widest: u32,
    /// For each epsilon, by recall: the last rank that it takes, if enough deviations are within.
    ranks: Vec<(f32, [Option<u32>; RECALLS.len()])>,
}

impl Choices {
    fn new(needs: &[Vec<Need>]) -> Choices {
        let mut by_rank: Vec<Need> = needs.iter().flatten().copied().collect();
        by_rank.sort_unstable_by_key(|need| need.rank);
        let wanted = RECALLS.map(|recall| {
            let wanted = (by_rank.len() as f32 * aim(recall)).ceil() as usize;
            wanted.min(by_rank.len())
        });
        let mut within = Vec::with_capacity(by_rank.len());
        let ranks = EPSILON_STEPS.map(|step| {
            let epsilon = step as f32 / 10.0;
            let near = by_rank.iter().filter(|need| need.deviation <= epsilon);
            within.clear();
            within.extend(near.map(|need| need.rank));
            let last = |wanted: usize| within.get(wanted.checked_sub(1)?).copied();
            (epsilon, wanted.map(last))
        });
        Choices {
            ranks: ranks.collect(),
            widest: by_rank.last().map_or(1, |need| need.rank + 1),
        }
    }

    /// The cheapest pair that finds enough of the neighbours for a recall, given by its place
    /// among [`RECALLS`].
    fn cheapest(&self, recall: usize, cost: &dyn Fn(u32, f32) -> f64) -> (u32, f32) {
        let mut best: Option<(f64, (u32, f32))> = None;
        for (epsilon, ranks) in &self.ranks {
            let Some(rank) = ranks[recall] else {
                continue;
            };
            let effort = (rank + 1, *epsilon);
            let cost = cost(effort.0, effort.1);
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, effort));
            }
        }
        let most = *EPSILON_STEPS.end() as f32 / 10.0;
        best.map_or((self.widest, most), |(_, effort)| effort)
    }
}

/// The share of neighbours that some queries find.
fn measure(needs: &[Vec<Need>], effort: (u32, f32)) -> f32 {
    let (mut found, mut total) = (0_usize, 0_usize);
    for need in needs.iter().flatten() {
        total += 1;
        found += usize::from(need.rank < effort.0 && need.deviation <= effort.1);
    }
    if total == 0 {
        return 1.0;
    }
    found as f32 / total as f32
}

/// The rows that play queries, in the order in which they were drawn.
pub(crate) fn players(
    model: &Model,
    schema: &Schema,
    view: &View,
    spare: &dyn Fn(u32) -> bool,
) -> Result<Vec<Player>> {
    let wanted = if view.rows > ROWS_MANY {
        QUERIES / 2
    } else {
        QUERIES
    };
    let mut random = SplitMix(model.epoch ^ 0x5eed);
    let mut chosen = Vec::with_capacity(wanted);
    let mut taken = std::collections::HashSet::new();
    // Tries are bounded, as most rows may be dead: then the live ones are gone through.
    for _ in 0..wanted * 20 {
        if chosen.len() == wanted || view.rows == 0 {
            break;
        }
        let row = random.below(view.rows as usize) as u32;
        if view.is_live(row) && !spare(row) && taken.insert(row) {
            chosen.push(row);
        }
    }
    if chosen.len() < wanted {
        let step = (view.count() / wanted as u64).max(1) as usize;
        let others = view.live_rows(0).step_by(step);
        let others = others.filter(|row| !spare(*row) && taken.insert(*row));
        let missing = wanted - chosen.len();
        chosen.extend(others.take(missing));
    }
    let mut players = Vec::with_capacity(chosen.len());
    view.visit_vectors(schema, chosen, |row, vector, scale| {
        let mut rotated = Floats::zeros(model.padded());
        rotate(&model.rotation, vector, scale, &mut rotated);
        players.push(Player { row, rotated });
        Ok(())
    })?;
    Ok(players)
}

/// The true nearest rows of each player, nearest first, without itself; `None` if stopped.
fn nearest_rows(
    model: &Model,
    schema: &Schema,
    view: &View,
    players: &[Player],
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<Vec<Neighbour>>>> {
    let (padded, kernel) = (model.padded(), model.rotation.kernel());
    // Rotated queries meet rotated rows, so that padding is the only overhead.
    let tiles = fill_tiles(players.iter().map(|player| &player.rotated[..]), padded);
    let width = players.len().next_multiple_of(TILE);
    let limits: Vec<usize> = (0..players.len())
        .map(|number| {
            if number < QUERIES_WIDE {
                LIMITS[2]
            } else {
                LIMITS[0]
            }
        })
        .collect();
    let mut heaps: Vec<BinaryHeap<Neighbour>> = vec![BinaryHeap::new(); players.len()];
    let mut thresholds = vec![f32::INFINITY; width];
    let mut rotated = Floats::zeros(STEP_ROWS * padded);
    let mut products = Floats::zeros(STEP_ROWS * width);
    let mut live = view.live_rows(0);
    loop {
        if stop() {
            return Ok(None);
        }
        let numbers: Vec<u32> = live.by_ref().take(STEP_ROWS).collect();
        if numbers.is_empty() {
            break;
        }
        let mut count = 0;
        let mut rows = Vec::with_capacity(STEP_ROWS);
        view.visit_vectors(schema, numbers, |row, vector, scale| {
            rotate(
                &model.rotation,
                vector,
                scale,
                &mut rotated[count * padded..][..padded],
            );
            count += 1;
            rows.push(row);
            Ok(())
        })?;
        let products = &mut products[..count * width];
        let rotated = &rotated[..count * padded];
        kernel.tile_products(rotated, padded, &tiles, products);
        for ((row, vector), products) in rows
            .iter()
            .zip(rotated.chunks_exact(padded))
            .zip(products.chunks_exact_mut(width))
        {
            let squared = kernel.dot(vector, vector);
            let (add, factor) = match model.metric {
                Metric::Euclidean => (squared, -2.0),
                Metric::Dot | Metric::Cosine => (0.0, -1.0),
            };
            let mut any = false;
            for (product, threshold) in products.iter_mut().zip(&thresholds) {
                *product = add + factor * *product;
                any |= *product < *threshold;
            }
            if !any {
                continue;
            }
            for (number, key) in products[..players.len()].iter().enumerate() {
                if *key < thresholds[number] && players[number].row != *row {
                    let heap = &mut heaps[number];
                    heap.push(Neighbour {
                        key: *key,
                        row: *row,
                    });
                    if heap.len() > limits[number] {
                        heap.pop();
                    }
                    if heap.len() == limits[number] {
                        thresholds[number] = heap.peek().map_or(f32::INFINITY, |last| last.key);
                    }
                }
            }
        }
    }
    Ok(Some(
        heaps.into_iter().map(BinaryHeap::into_sorted_vec).collect(),
    ))
}

/// The rank of each list for a player, and how far it is.
fn ranks(model: &Model, player: &Player) -> (Vec<u32>, Vec<f32>) {
    let mut coarse = Coarse::default();
    model.nearest_lists(&player.rotated, model.lists(), &mut coarse);
    let mut ranks = vec![u32::MAX - 1; model.lists()];
    for ((_, list), rank) in coarse.lists.iter().zip(0..) {
        ranks[*list as usize] = rank;
    }
    let away = model.all_lists(&player.rotated, &mut coarse).to_vec();
    (ranks, away)
}

/// The codes of all rows that are near to any player, ascending; `None` if stopped.
fn code_once(
    model: &Model,
    schema: &Schema,
    view: &View,
    nearest: &[Vec<Neighbour>],
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<CodedRows>>> {
    let mut rows: Vec<u32> = nearest.iter().flatten().map(|near| near.row).collect();
    rows.sort_unstable();
    rows.dedup();
    let mut coded = Vec::new();
    for part in rows.chunks(STEP_ROWS) {
        if stop() {
            return Ok(None);
        }
        coded.push(CodedRows::code_some(model, schema, view, part, None)?);
    }
    Ok(Some(coded))
}

/// The estimate of each neighbour less the query's own part, its standard error, and its list.
fn deviations(
    model: &Model,
    coded: &[CodedRows],
    player: &Player,
    nearest: &[Neighbour],
) -> Result<Vec<(f32, f32, u16)>> {
    let squared = model
        .rotation
        .kernel()
        .dot(&player.rotated, &player.rotated);
    let width = model.padded() / 8;
    let mut residual = vec![0.0; model.padded()];
    let mut found = Vec::with_capacity(nearest.len());
    for neighbour in nearest {
        let gone = || Error::internal("a row is gone from its view");
        let part = coded.partition_point(|part| part.rows.last() < Some(&neighbour.row));
        let coded = coded.get(part).ok_or_else(gone)?;
        let position = coded.rows.binary_search(&neighbour.row);
        let position = position.map_err(|_| gone())?;
        let list = coded.lists[position];
        let cell = model.cell(usize::from(list));
        for ((value, query), centroid) in
            residual.iter_mut().zip(&*player.rotated).zip(cell.centroid)
        {
            *value = query - centroid;
        }
        let bits = &coded.bits[position * width..][..width];
        let (estimate, error) = cell.estimate(bits, coded.factors[position], &residual);
        // Keys of `nearest_rows` lack the query's own square.
        let estimate = match model.metric {
            Metric::Euclidean => estimate - squared,
            Metric::Dot | Metric::Cosine => estimate,
        };
        found.push((estimate, error, list));
    }
    Ok(found)
}
