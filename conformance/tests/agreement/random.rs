//! Random ids, vectors, metadata and filters, each made from a seed alone.

use nearfield::filter::{Bound, Range};
use nearfield::{Filter, Id, Metadata, Value};
use serde_json::json;

const TIMES: [&str; 5] = [
    "1969-12-31T23:59:59Z",
    "2024-05-01",
    "2024-05-01T00:00:00Z",
    "2024-05-01T12:30:00.25+02:00",
    "9999-12-31T23:59:59.999999Z",
];
const TEXTS: [&str; 8] = ["", "x", "xy", "xyz", "xyzxyzxyz", "é", "\"'\\", "true"];
const FIELDS: [&str; 12] = [
    "a", "b", "n", "a.b", "a.c", "b.b", "tags", "many", "text", "time", "hidden", "o.p.q",
];

/// The generator splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ number >> 31
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True so many times in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// A fraction from 0 to 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The id with this number in a pool that has all kinds.
    pub(crate) fn id(&mut self, pool: u64) -> Id {
        let number = self.below(pool);
        match number % 5 {
            0 => Id::from(number),
            1 => Id::from(u64::MAX - number),
            2 => Id::from(format!("67e55044-10b1-426f-9247-{number:012x}")),
            3 => Id::from(format!("point {number}")),
            _ => Id::from(format!("{}{number}", "ä".repeat((number % 200) as usize))),
        }
    }

    /// A vector: of small whole numbers, for which every sum is exact, or of fractions.
    pub(crate) fn vector(&mut self, dimension: usize, whole: bool) -> Vec<f32> {
        let mut vector: Vec<f32> = (0..dimension)
            .map(|_| match whole {
                true => self.below(7) as f32 - 3.0,
                false => (self.fraction() * 4.0 - 2.0) as f32,
            })
            .collect();
        if vector.iter().all(|component| *component == 0.0) {
            vector[0] = 1.0;
        }
        vector
    }

    fn number(&mut self) -> serde_json::Value {
        match self.below(8) {
            0..5 => json!(self.below(7) as i64 - 3),
            5 => json!(self.below(1 << 10) as f64 / 64.0 - 4.0),
            6 => json!((1_u64 << 53) + self.below(3)),
            _ => self
                .pick(&[json!(u64::MAX), json!(i64::MIN), json!(-0.0), json!(1e300)])
                .clone(),
        }
    }

    fn text(&mut self) -> String {
        match self.below(3) {
            0 => (*self.pick(&TIMES)).to_owned(),
            1 => (*self.pick(&TEXTS)).to_owned(),
            _ => format!("xy{}", self.below(20)),
        }
    }

    fn scalar(&mut self) -> serde_json::Value {
        match self.below(8) {
            0 => serde_json::Value::Null,
            1 => json!(self.chance(50)),
            2..5 => self.number(),
            _ => json!(self.text()),
        }
    }

    fn json(&mut self, depth: u32) -> serde_json::Value {
        match self.below(10) {
            0 if depth > 0 => {
                let elements = self.below(4);
                (0..elements).map(|_| self.json(depth - 1)).collect()
            }
            1 if depth > 0 => self.members(depth - 1),
            _ => self.scalar(),
        }
    }

    fn members(&mut self, depth: u32) -> serde_json::Value {
        let count = self.below(4);
        let members = (0..count).map(|_| {
            let name = *self.pick(&["a", "b", "c", "n", "a.b", "tags", "hidden", "o", "p", "q"]);
            (name.to_owned(), self.json(depth))
        });
        let members: serde_json::Map<String, serde_json::Value> = members.collect();
        members.into()
    }

    /// Metadata of any shape, or none. Of `values` distinct values per field some are taken,
    /// so that many make columns out of bitmaps, and of `fields` further fields one.
    pub(crate) fn metadata(&mut self, values: u64, fields: u64) -> Option<Metadata> {
        if self.chance(15) {
            return None;
        }
        let mut members = self.members(3);
        if values > 0 {
            let number = self.below(values);
            members["many"] = match self.below(4) {
                0 => json!(number as f64 / 8.0),
                1 => json!([number, number + 1]),
                _ => json!(number),
            };
            members["text"] = json!(format!("{}{number}", self.pick(&["", "xyzxyzxy", "é"])));
            let (hour, minute) = (number / 60 % 24, number % 60);
            members["time"] = json!(format!("2024-05-01T{hour:02}:{minute:02}:00Z"));
        }
        if fields > 0 {
            let field = format!("field {}", self.below(fields));
            members[field] = self.scalar();
        }
        Some(Metadata::try_from(members).unwrap())
    }

    /// A merge patch.
    pub(crate) fn patch(&mut self) -> Metadata {
        Metadata::try_from(self.members(2)).unwrap()
    }

    fn value(&mut self, values: u64) -> Value {
        let json = match self.below(6) {
            0 if values > 0 => json!(self.below(values)),
            1 if values > 0 => json!(format!("xyzxyzxy{}", self.below(values))),
            2 => json!(self.chance(50)),
            3 | 4 => self.number(),
            _ => json!(self.text()),
        };
        match json {
            serde_json::Value::Bool(flag) => Value::Bool(flag),
            serde_json::Value::String(text) => Value::from(text.as_str()),
            number => Value::Number(nearfield::Number::parse(&number.to_string()).unwrap()),
        }
    }

    fn bound(&mut self, values: u64, time: bool) -> Bound {
        if time {
            let minute = self.below(60);
            let text = format!("2024-05-01T00:{minute:02}:00Z");
            let text = if self.chance(50) {
                &text
            } else {
                *self.pick(&TIMES)
            };
            return Bound::time(text).unwrap();
        }
        let number = match values > 0 && self.chance(50) {
            true => json!(self.below(values)),
            false => self.number(),
        };
        Bound::Number(nearfield::Number::parse(&number.to_string()).unwrap())
    }

    fn range(&mut self, values: u64) -> Range {
        let time = self.chance(35);
        let (low, high) = (self.bound(values, time), self.bound(values, time));
        match self.below(6) {
            0 => Range::default().gt(low),
            1 => Range::default().gte(low),
            2 => Range::default().lt(high),
            3 => Range::default().lte(high),
            4 => Range::default().gte(low).lt(high),
            _ => Range::default().gt(low).lte(high),
        }
    }

    fn field(&mut self, fields: u64) -> String {
        match fields > 0 && self.chance(30) {
            true => format!("field {}", self.below(fields)),
            false => (*self.pick(&FIELDS)).to_owned(),
        }
    }

    /// A filter over what [`metadata`](Self::metadata) makes.
    pub(crate) fn filter(&mut self, values: u64, fields: u64, depth: u32) -> Filter {
        let group = if depth == 0 { 9 } else { 14 };
        match self.below(group) {
            0..3 => Filter::eq(self.field(fields), self.value(values)),
            3 => {
                let count = self.below(4);
                let wanted: Vec<Value> = (0..count).map(|_| self.value(values)).collect();
                Filter::one_of(self.field(fields), wanted)
            }
            4..6 => Filter::range(self.field(fields), self.range(values)),
            6 => Filter::exists(*self.pick(&["a", "b", "o", "o.p", "tags", "field 3", "hidden"])),
            7..9 => {
                let texts = ["", "x", "xyzxyzxy1", "xyzxyzxyz", "2024-05", "1", "é"];
                Filter::prefix(self.field(fields), *self.pick(&texts))
            }
            9 => Filter::Not(Box::new(self.filter(values, fields, depth - 1))),
            kind => {
                let count = self.below(4);
                let members = (0..count).map(|_| self.filter(values, fields, depth - 1));
                match kind < 12 {
                    true => Filter::All(members.collect()),
                    false => Filter::Any(members.collect()),
                }
            }
        }
    }
}
