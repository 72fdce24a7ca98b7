//! Two targets for measuring doors, of use to `nearfield ladder` and to nobody's data:
//! `null:` answers at once and keeps nothing, and `timed:FILE:TARGET` opens TARGET and writes to
//! FILE, when it is closed, what each call took behind the door.

mod null;
mod timed;

pub(crate) use null::Null;
pub(crate) use timed::Timed;
