//! Bare round trips that are taken in turns with the calls through a door: the same primitive, with
//! the same waiting, in the same minute and on the same cores.

use std::path::Path;
use std::time::Duration;

use super::bare::Bare;
use super::door::Door;
use super::echo::Echo;
use crate::Result;

/// A bare primitive of a door.
pub(super) struct Beside {
    /// How it differs from the door's other one.
    pub(super) name: &'static str,
    primitive: Primitive,
}

enum Primitive {
    /// One byte over TCP, and back.
    Echo(Echo),
    /// A word through shared memory or over a Unix socket, and back.
    AtOnce(Bare),
    /// The same, answered after as long as the engine took, without that time: as long as a
    /// waiter has to wait.
    WhenDue(Bare),
}

impl Beside {
    /// What there is to compare a door with.
    pub(super) fn of(door: Door, folder: &Path) -> Result<Vec<Beside>> {
        let beside = |name, primitive| Beside { name, primitive };
        if door == Door::Embedded {
            return Ok(Vec::new());
        }
        if door.is_local() {
            let start = |number| Bare::start(door, &folder.join(format!("bare-{door}-{number}")));
            return Ok(vec![
                beside("answered at once", Primitive::AtOnce(start(0)?)),
                beside(
                    "answered when the engine would",
                    Primitive::WhenDue(start(1)?),
                ),
            ]);
        }
        let mut all = vec![beside(
            "where the system puts both sides",
            Primitive::Echo(Echo::start()?),
        )];
        all.extend(Echo::start_apart()?.map(|echo| beside("between cores", Primitive::Echo(echo))));
        Ok(all)
    }

    /// What as many round trips took as there were searches, in microseconds; `engine` is what the
    /// engine took for each of these.
    pub(super) fn round_trips(&mut self, engine: &[f64]) -> Result<Vec<f64>> {
        match &mut self.primitive {
            Primitive::Echo(echo) => echo.round_trips(engine.len()),
            Primitive::AtOnce(bare) => engine
                .iter()
                .map(|_| bare.round_trip(Duration::ZERO))
                .collect(),
            Primitive::WhenDue(bare) => engine
                .iter()
                .map(|engine| bare.round_trip(Duration::from_secs_f64(engine / 1e6)))
                .collect(),
        }
    }
}
