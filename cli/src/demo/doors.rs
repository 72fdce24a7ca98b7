//! The end of the demo: the same writes through a few doors.

use nearfield_bench::{Climb, Door, Ladder};

use crate::failure::{Failure, Outcome};
use crate::show::Output;

/// Vectors that each door writes.
const VECTORS: usize = 10_000;
const DOORS: [Door; 4] = [Door::Embedded, Door::Shm, Door::HttpMsgpack, Door::HttpJson];

/// Measures the doors. A machine that cannot (its temporary folder is in memory, say) is told why,
/// and has seen the rest of the demo.
pub(super) fn climb(output: Output) -> Outcome<Option<Climb>> {
    let program =
        std::env::current_exe().map_err(|error| Failure::system("find this program", &error))?;
    let ladder = Ladder::brief(&DOORS, VECTORS, std::env::temp_dir());
    let climb = match ladder.climb(&program, &|_| {}) {
        Ok(climb) => climb,
        Err(error) => {
            output.note(&format!("the doors were not measured: {error}"));
            return Ok(None);
        }
    };
    output.text(&format!(
        "\nOther doors, vectors/s in batches of 1,000, not waiting for the disk:\n{}  \
         `nearfield ladder` measures all doors and tells where the time goes\n",
        climb.brief()
    ))?;
    Ok(Some(climb))
}
