//! The log: the truth of a collection. Append-only files of records; whatever else there is
//! can be made again from it.

pub(crate) mod checkpoint;
pub(crate) mod file;
pub(crate) mod gone;
pub(crate) mod ids;
pub(crate) mod outcomes;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod syncer;
pub(crate) mod writer;
