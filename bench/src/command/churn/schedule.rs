//! Which points each write removes, adds again or updates, and what is there after it. All of it
//! follows from the number of the write, so that the state at any moment can be made again.

use crate::random::Random;

const CLASSES: u64 = 7;
const ORDERS: u64 = 8;

/// The writes of a run, without end. Half of the points are removed and then added again, over
/// and over; a third are updated; the rest stay as they are.
#[derive(Debug)]
pub(super) struct Schedule {
    batch: usize,
    removed: Vec<u64>,
    updated: Vec<u64>,
}

/// One write.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) ids: Vec<u64>,
    pub(super) is_delete: bool,
}

impl Schedule {
    /// For points whose ids are 0 to `points`, which is left out.
    pub(super) fn new(points: usize, batch: usize) -> Schedule {
        let (mut removed, mut updated) = (Vec::new(), Vec::new());
        for id in 0..points as u64 {
            match Random::at(CLASSES, 0, id).below(6) {
                0..3 => removed.push(id),
                3..5 => updated.push(id),
                _ => {}
            }
        }
        Schedule {
            batch,
            removed,
            updated,
        }
    }

    /// Whether there are points to remove and points to update.
    pub(super) fn has_both(&self) -> bool {
        !self.removed.is_empty() && !self.updated.is_empty()
    }

    /// The write of this number. Writes take turns: one of the points that are removed and added
    /// again, one of those that are updated.
    pub(super) fn step(&self, number: u64) -> Step {
        let is_update = number % 2 == 1;
        let class = if is_update {
            &self.updated
        } else {
            &self.removed
        };
        let batches = class.len().div_ceil(self.batch) as u64;
        let (pass, batch) = (number / 2 / batches, number / 2 % batches);
        let first = batch * self.batch as u64;
        let end = (first + self.batch as u64).min(class.len() as u64);
        Step {
            ids: in_order(class, 2 * pass + number % 2, first..end),
            is_delete: !is_update && pass % 2 == 0,
        }
    }
}

/// Some places of a class in the order of a pass: each pass takes every point once, and mixes
/// them in another way, so that points which were written together part.
fn in_order(class: &[u64], pass: u64, places: std::ops::Range<u64>) -> Vec<u64> {
    let count = class.len() as u64;
    let mut random = Random::at(ORDERS, pass, 0);
    let mut draw = || random.below(class.len()) as u64;
    let start = draw();
    let stride = loop {
        let stride = draw() + 1;
        if common_divisor(stride, count) == 1 {
            break stride;
        }
    };
    places
        .map(|place| class[((start + place * stride) % count) as usize])
        .collect()
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// What is there: a byte per point.
#[derive(Debug)]
pub(super) struct State(Vec<u8>);

const LIVE: u8 = 1;
/// The point has the second of its two vectors.
const SECOND: u8 = 2;

impl State {
    /// All points, with the first of their vectors.
    pub(super) fn new(points: usize) -> State {
        State(vec![LIVE; points])
    }

    pub(super) fn apply(&mut self, step: &Step) {
        for id in &step.ids {
            let point = &mut self.0[*id as usize];
            *point = if step.is_delete {
                *point & !LIVE
            } else {
                (*point ^ SECOND) | LIVE
            };
        }
    }

    /// The row that a point has for its vector, if it is there. The second vectors come behind
    /// the first ones of all points.
    pub(super) fn row(&self, id: usize) -> Option<usize> {
        let point = self.0.get(id)?;
        (point & LIVE != 0).then_some(id + usize::from(point & SECOND != 0) * self.0.len())
    }

    /// The row that the next write of a point gives to it.
    pub(super) fn next_row(&self, id: usize) -> usize {
        id + usize::from(self.0[id] & SECOND == 0) * self.0.len()
    }

    /// Whether a point has this row.
    pub(super) fn has(&self, row: usize) -> bool {
        self.row(row % self.0.len()) == Some(row)
    }

    pub(super) fn live(&self) -> usize {
        self.0.iter().filter(|point| *point & LIVE != 0).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_go_and_come_back_and_a_third_change() {
        let points = 1_200;
        let schedule = Schedule::new(points, 50);
        let mut state = State::new(points);
        let (removed, updated) = (schedule.removed.len(), schedule.updated.len());
        assert!(removed.abs_diff(600) < 60 && updated.abs_diff(400) < 60);
        let pass = 2 * removed.div_ceil(50) as u64;
        for number in 0..pass {
            let step = schedule.step(number);
            assert_eq!(step.is_delete, number % 2 == 0);
            assert!(!step.is_delete || step.ids.iter().all(|id| state.row(*id as usize).is_some()));
            state.apply(&step);
        }
        assert_eq!(state.live(), points - removed);
        let first = schedule.updated[0] as usize;
        for number in pass..2 * pass {
            let step = schedule.step(number);
            assert!(!step.is_delete);
            let id = step.ids[0] as usize;
            let next = state.next_row(id);
            state.apply(&step);
            assert_eq!(state.row(id), Some(next));
            assert!(state.has(next) && !state.has((next + points) % (2 * points)));
        }
        assert_eq!(state.live(), points);
        let again = schedule.removed[0] as usize;
        assert_eq!(state.row(again), Some(again + points));
        assert!(state.row(first).is_some());
    }
}
