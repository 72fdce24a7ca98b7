//! What a calibration says: how far to look for a recall.
use serde::{Deserialize, Serialize};

/// Lists are looked into if they are among so many that hold a match, or within the horizon. Each of
/// the two is measured for finding enough by itself; where matches are rare near the query, the
/// horizon has to find what the other leaves, and this many times the loss asked for is enough.
const FAR_LOSS: f32 = 8.0;

/// What one recall takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Effort {
    /// Neighbours wanted.
    pub(crate) limit: u32,
    /// The recall that it is meant for.
    pub(crate) recall: f32,
    /// Lists to probe.
    pub(crate) probes: u32,
    /// Standard errors between estimate and lower bound.
    pub(crate) epsilon: f32,
    /// The [slant](Horizon) of the lists of this share of the neighbours, at most.
    pub(crate) slant: f32,
    /// The recall of such choices on rows that they were not made from.
    pub(crate) measured: f32,
}

/// How recall is translated for one epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    /// Live rows that there were.
    pub(crate) rows: u64,
    /// Row numbers that were given by then.
    #[serde(default)]
    pub(crate) written: u32,
    /// The mean squared distance of a row to its list's centroid.
    pub(crate) spread: f32,
    /// By limit, then by recall, ascending.
    pub(crate) efforts: Vec<Effort>,
}

/// Up to where lists may hold rows that are near enough. The *slant* of a list is the cosine of the
/// angle at its centroid's side of the query at which a row of the list, as far from the centroid
/// as rows are on average, is just near enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Horizon {
    pub(crate) slant: f32,
    pub(crate) spread: f32,
}

impl Horizon {
    /// Whether a list at this squared distance is beyond, where the last row wanted is at `row`.
    pub(crate) fn is_before(&self, list: f32, row: f32) -> bool {
        slant(list, row, self.spread) > self.slant
    }
}

/// See [`Horizon`]; of squared distances.
pub(super) fn slant(list: f32, row: f32, spread: f32) -> f32 {
    (list + spread - row) / (2.0 * (list.max(0.0) * spread).sqrt())
}

/// How far a search looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Looking {
    pub(crate) probes: usize,
    pub(crate) epsilon: f32,
    pub(crate) horizon: Horizon,
}

/// The same, before the number of lists is rounded.
#[derive(Clone, Copy)]
struct Amount {
    probes: f64,
    epsilon: f32,
    slant: f32,
}

impl Amount {
    fn of(effort: &Effort) -> Amount {
        Amount {
            probes: f64::from(effort.probes),
            epsilon: effort.epsilon,
            slant: effort.slant,
        }
    }

    /// What lies at `share` of the way to `other`, where `probes` lists are to be probed.
    fn towards(self, other: Amount, share: f32, probes: f64) -> Amount {
        Amount {
            probes,
            epsilon: self.epsilon + (other.epsilon - self.epsilon) * share,
            slant: self.slant.max(other.slant),
        }
    }

    fn among(self, lists: usize, spread: f32) -> Looking {
        Looking {
            probes: (self.probes.ceil() as usize).clamp(1, lists),
            epsilon: self.epsilon,
            horizon: Horizon {
                slant: self.slant,
                spread,
            },
        }
    }
}

/// What a newer calibration is compared by.
const TYPICAL: (f32, f64) = (0.95, 10.0);
/// Lists fit rows no more that take so many times the probes, or lie as many times as far away.
const WORSE: usize = 2;

impl Calibration {
    /// Whether the rows of a newer calibration of the same `lists` fit them so much worse than
    /// those of this one that others are to be trained.
    pub(crate) fn is_outworn_by(&self, newer: &Calibration, lists: usize) -> bool {
        let probes = |of: &Calibration| of.effort(TYPICAL.0, TYPICAL.1, lists).probes;
        let measured = !self.efforts.is_empty() && !newer.efforts.is_empty();
        measured
            && (probes(newer) > WORSE * probes(self) || newer.spread > WORSE as f32 * self.spread)
    }

    /// How far to look for `limit` neighbours among `lists` lists.
    pub(crate) fn effort(&self, recall: f32, limit: f64, lists: usize) -> Looking {
        let mut below: Option<(f64, Amount)> = None;
        for group in self.efforts.chunk_by(|a, b| a.limit == b.limit) {
            let measured = f64::from(group[0].limit);
            let amount = Amount {
                slant: at_recall(group, 1.0 - FAR_LOSS * (1.0 - recall)).slant,
                ..at_recall(group, recall)
            };
            if limit <= measured {
                let Some((lower, small)) = below else {
                    return amount.among(lists, self.spread);
                };
                // In between, the number of probes grows with a power of the limit.
                let share = (limit / lower).ln() / (measured / lower).ln();
                let probes = small.probes * (amount.probes / small.probes).powf(share);
                return small
                    .towards(amount, share as f32, probes)
                    .among(lists, self.spread);
            }
            below = Some((measured, amount));
        }
        match below {
            // Beyond the widest measured, lists are taken to be filled evenly by neighbours.
            Some((lower, amount)) => {
                let probes = amount.probes * limit / lower;
                Amount { probes, ..amount }.among(lists, self.spread)
            }
            None => Looking {
                probes: lists,
                epsilon: 2.2,
                horizon: Horizon {
                    slant: f32::INFINITY,
                    spread: 0.0,
                },
            },
        }
    }
}

/// What a recall takes, among the efforts of one limit.
fn at_recall(efforts: &[Effort], recall: f32) -> Amount {
    match efforts.iter().position(|effort| effort.recall >= recall) {
        Some(0) => Amount::of(&efforts[0]),
        Some(next) => {
            let (lower, upper) = (&efforts[next - 1], &efforts[next]);
            let share = (recall - lower.recall) / (upper.recall - lower.recall);
            let (a, b) = (Amount::of(lower), Amount::of(upper));
            let probes = a.probes + (b.probes - a.probes) * f64::from(share);
            a.towards(b, share, probes)
        }
        None => {
            let last = efforts.last().map(Amount::of);
            last.map_or(
                Amount {
                    probes: f64::INFINITY,
                    epsilon: 3.0,
                    slant: f32::INFINITY,
                },
                |last| Amount {
                    probes: last.probes * 2.0,
                    epsilon: last.epsilon + 0.5,
                    slant: last.slant * 1.1,
                },
            )
        }
    }
}
