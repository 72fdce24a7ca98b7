//! What one process does to its part of a collection, step by step, and what has to come of it.
//! Steps are made from their numbers, so that another process knows them too.

use std::collections::BTreeMap;

use nearfield::{Batch, Collection, Durability, Filter, Id, Metadata, MetadataColumn, Metric};

pub(crate) const COLLECTION: &str = "points";
pub(crate) const DIMENSION: usize = 24;
/// Points of a part at once, at most.
const POINTS_MAX: u64 = 200;
const MARKS: u64 = 5;

pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The step that wrote a point's vector, and its mark.
type Written = (u64, u64);

/// A part of the collection, after so many steps.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    part: u64,
    steps: u64,
    points: BTreeMap<u64, Written>,
}

/// What a step writes.
#[derive(Debug)]
enum Act {
    /// Points from the first number on, so many.
    Upsert(u64, u64),
    Delete(u64, u64),
    DeleteMarked(u64),
    Update(u64, u64, u64),
    /// Points of the first mark get the second.
    UpdateMarked(u64, u64),
    /// Makes a collection and drops it.
    Collection,
}

impl Model {
    pub(crate) fn new(part: u64) -> Self {
        Model {
            part,
            steps: 0,
            points: BTreeMap::new(),
        }
    }

    fn chance(&self) -> u64 {
        (self.part << 32) ^ self.steps
    }

    fn act(&self) -> (Act, Durability) {
        let mut chance = self.chance();
        let durability = [Durability::Sync, Durability::Os][(random(&mut chance) % 2) as usize];
        let count = 1 + random(&mut chance) % 60;
        let first = random(&mut chance) % (POINTS_MAX - count);
        let mark = random(&mut chance) % MARKS;
        let act = match random(&mut chance) % 20 {
            0..9 => Act::Upsert(first, count),
            9..12 => Act::Delete(first, count),
            12..14 => Act::DeleteMarked(mark),
            14..17 => Act::Update(first, count, mark),
            17..19 => Act::UpdateMarked(mark, (mark + 1) % MARKS),
            _ => Act::Collection,
        };
        (act, durability)
    }

    /// Applies the next act, and gives how many points it wrote or removed.
    fn apply(&mut self, act: &Act) -> u64 {
        let step = self.steps;
        self.steps += 1;
        let before = self.points.len() as u64;
        match *act {
            Act::Upsert(first, count) => {
                let written = (first..first + count).map(|number| (number, (step, step % MARKS)));
                self.points.extend(written);
                count
            }
            Act::Delete(first, count) => {
                self.points
                    .retain(|number, _| !(first..first + count).contains(number));
                before - self.points.len() as u64
            }
            Act::DeleteMarked(mark) => {
                self.points.retain(|_, written| written.1 != mark);
                before - self.points.len() as u64
            }
            Act::Update(first, count, mark) => {
                let range = self.points.range_mut(first..first + count);
                range.map(|(_, written)| written.1 = mark).count() as u64
            }
            Act::UpdateMarked(from, to) => {
                let marked = self.points.values_mut().filter(|written| written.1 == from);
                marked.map(|written| written.1 = to).count() as u64
            }
            Act::Collection => 0,
        }
    }

    /// Takes a step, and looks whether all is as it has to be.
    pub(crate) fn step(&mut self, points: &Collection) {
        let (act, durability) = self.act();
        let step = self.steps;
        let expected = self.apply(&act);
        let answered = self.send(points, &act, step, durability);
        assert_eq!(
            answered, expected,
            "part {}, step {step}: {act:?}",
            self.part
        );
        match step % 4 {
            0 => self.search(points),
            1 => self.get(points),
            2 => assert_eq!(
                points.count().filter(self.filter("")).run().unwrap().count,
                self.points.len() as u64,
                "part {}, step {step}: count",
                self.part
            ),
            _ if step % 20 == 3 => {
                let found = self.read(points);
                assert_eq!(found, self.points, "part {}, step {step}: scan", self.part);
            }
            _ => {}
        }
    }

    fn send(&self, points: &Collection, act: &Act, step: u64, durability: Durability) -> u64 {
        let ids =
            |first, count| -> Vec<Id> { (first..first + count).map(|n| self.id(n)).collect() };
        let patch = |mark| Metadata::parse(&format!("{{\"mark\": {mark}}}")).unwrap();
        let marked = |mark| self.filter(&format!(" and mark = {mark}"));
        match *act {
            Act::Upsert(first, count) => {
                let vectors = (first..first + count).flat_map(|n| self.vector(n, step));
                let mark = step % MARKS;
                let metadata = format!("{{\"part\": {}, \"mark\": {mark}}}", self.part);
                let metadata = vec![metadata; count as usize];
                let batch = Batch::from_values(ids(first, count), vectors.collect())
                    .metadata(MetadataColumn::from_texts(&metadata).unwrap());
                let upsert = points.upsert(batch).durability(durability);
                upsert.run().unwrap().upserted
            }
            Act::Delete(first, count) => {
                let delete = points.delete(ids(first, count)).durability(durability);
                delete.run().unwrap().deleted
            }
            Act::DeleteMarked(mark) => {
                let delete = points.delete_matching(marked(mark)).durability(durability);
                delete.run().unwrap().deleted
            }
            Act::Update(first, count, mark) => {
                let update = points.update_metadata(ids(first, count), patch(mark));
                update.durability(durability).run().unwrap().updated
            }
            Act::UpdateMarked(from, to) => {
                let update = points.update_metadata_matching(marked(from), patch(to));
                update.durability(durability).run().unwrap().updated
            }
            Act::Collection => {
                let (db, name) = (points.database(), format!("own-{}-{step}", self.part));
                db.create_collection(&name, 1, Metric::Dot).unwrap();
                db.drop_collection(&name).unwrap();
                0
            }
        }
    }

    fn some_point(&self) -> Option<(u64, Written)> {
        let at = random(&mut self.chance()) as usize % self.points.len().max(1);
        let (number, written) = self.points.iter().nth(at)?;
        Some((*number, *written))
    }

    /// A vector finds the point that has it.
    fn search(&self, points: &Collection) {
        let Some((number, (step, _))) = self.some_point() else {
            return;
        };
        let vector = self.vector(number, step);
        let found = points.search(&vector[..]).limit(3).run().unwrap();
        let nearest = &found.results[0][0];
        assert_eq!(nearest.id, self.id(number), "part {}", self.part);
        assert_eq!(nearest.score, 0.0, "part {}", self.part);
    }

    fn get(&self, points: &Collection) {
        let Some((number, (step, mark))) = self.some_point() else {
            return;
        };
        let got = points.get(self.id(number)).run().unwrap();
        let point = got.points[0].as_ref().unwrap();
        let vector = self.vector(number, step);
        assert_eq!(point.vector.as_deref(), Some(&vector[..]));
        let metadata = point.metadata.as_ref().unwrap();
        assert_eq!(metadata.get("mark").unwrap().as_u64(), Some(mark));
    }

    /// The part as it is in the collection, page by page.
    fn read(&self, points: &Collection) -> BTreeMap<u64, Written> {
        let mut found = BTreeMap::new();
        let mut cursor = None;
        loop {
            let scan = points.scan().filter(self.filter("")).limit(40);
            let page = scan.with_vectors(true).cursor(cursor).run().unwrap();
            for point in page.points {
                let Id::U64(id) = point.id else {
                    panic!("{} was never written", point.id);
                };
                let number = id - self.first_id();
                let vector = point.vector.unwrap();
                let step = vector[0] as u64;
                assert_eq!(vector, self.vector(number, step), "part {}", self.part);
                let mark = point.metadata.unwrap().get("mark").unwrap().as_u64();
                found.insert(number, (step, mark.unwrap()));
            }
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    }

    /// Fails unless the part is as it was after `done` steps, or after the one that may have been
    /// under way. Gives the number of its points.
    pub(crate) fn assert_is_in(mut self, points: &Collection, done: u64) -> u64 {
        while self.steps < done {
            let (act, _) = self.act();
            self.apply(&act);
        }
        let found = self.read(points);
        if found != self.points {
            let (act, _) = self.act();
            let before = std::mem::take(&mut self.points);
            self.points.clone_from(&before);
            self.apply(&act);
            assert!(
                found == self.points,
                "part {} after {done} steps, and perhaps {act:?}: {found:?}\nis not {before:?}",
                self.part
            );
        }
        found.len() as u64
    }

    fn first_id(&self) -> u64 {
        self.part << 32
    }

    fn id(&self, number: u64) -> Id {
        Id::U64(self.first_id() + number)
    }

    fn filter(&self, more: &str) -> Filter {
        Filter::parse(&format!("part = {}{more}", self.part)).unwrap()
    }

    /// A vector that no other point has, with the step that wrote it in front.
    fn vector(&self, number: u64, step: u64) -> [f32; DIMENSION] {
        let mut state = (self.part << 40) ^ (number << 24) ^ step;
        let mut vector = [(); DIMENSION].map(|()| (random(&mut state) % 100_000) as f32);
        vector[0] = step as f32;
        vector
    }
}
