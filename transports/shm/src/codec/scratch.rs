//! Memory into which requests are read, kept from one to the next.

/// The columns of a request. What is kept of them after a large request is bounded.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) numbers: Vec<u64>,
    pub(super) packed: Vec<u8>,
    pub(super) values: Vec<f32>,
    pub(super) text: Vec<u8>,
    pub(super) ends: Vec<u32>,
}

/// Bytes of a column that are kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

impl Scratch {
    /// Gives back memory that only large requests need.
    pub fn trim(&mut self) {
        trim(&mut self.numbers);
        trim(&mut self.packed);
        trim(&mut self.values);
        trim(&mut self.text);
        trim(&mut self.ends);
    }
}

fn trim<T>(column: &mut Vec<T>) {
    if column.capacity() * size_of::<T>() > KEPT_BYTES_MAX {
        *column = Vec::new();
    }
}
