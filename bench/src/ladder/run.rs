//! A run: every cell in rounds, doors taking turns, and each store checked.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::time::{Duration, Instant};

use nearfield::Database;

use super::check::Checker;
use super::climb::{self, COLLECTION, Order};
use super::door::{Door, Kind};
use super::language::{Job, Languages, Program};
use super::leg::{Cell, Leg};
use super::open::Open;
use super::options::{Behind, Op, Plan};
use super::row::{Climb, Fault, Legs, NotRun, row};
use super::searched::Searched;
use super::story::Story;
use super::work::Work;
use crate::Result;
use crate::machine::Machine;
use crate::place::Place;
use crate::server::Server;

/// Requests of so many vectors and more are long beside a look at the clock, so that their
/// stages are timed in the measurement itself.
pub(super) const LONG_BATCH: usize = 10;
/// Queries per request.
const QUERY_BATCHES: [usize; 2] = [1, 100];
/// The share of the time that a measurement without an engine may take.
const NULL_SHARE: f64 = 0.4;
/// The share of the time that a measurement of searches may take.
const SEARCH_SHARE: f64 = 0.5;

/// Turns that a cell may have in a round, and the share of a measurement's time up to which it has
/// them: what is done soon is measured more often, for it is moved more by chance.
const PASSES: usize = 5;
const AGAIN_SHARE: f64 = 0.25;

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Measurements that are done.
    pub done: usize,
    /// Measurements there are.
    pub total: usize,
    /// What is under way.
    pub doing: String,
}

/// A run under way.
pub(super) struct Run<'r> {
    pub(super) plan: &'r Plan,
    pub(super) work: &'r Work,
    pub(super) place: &'r Place,
    /// The program `nearfield`.
    pub(super) program: &'r Path,
    pub(super) languages: HashMap<Door, Program>,
    pub(super) checker: Checker<'r>,
}

/// Climbs all doors of a plan.
pub(super) fn run(plan: &Plan, program: &Path, tell: &dyn Fn(Progress)) -> Result<Climb> {
    let start = Instant::now();
    let place = Place::make(plan.path.as_deref())?;
    let machine = Machine::describe(place.path());
    let say = |doing: &str| {
        tell(Progress {
            done: 0,
            total: 0,
            doing: doing.to_owned(),
        });
    };
    say("making vectors");
    let work = Work::make(plan, place.path())?;
    let languages = Languages::new(program, place.path(), plan.python.as_deref());
    let (languages, not_run) = prepare(plan, languages, &say);
    let mut run = Run {
        plan,
        work: &work,
        place: &place,
        program,
        languages,
        checker: Checker::new(&work),
    };
    let mut cells: HashMap<Cell, Legs> = HashMap::new();
    let mut faults = Vec::new();
    let groups = run.groups(&not_run);
    let total = plan.rounds * groups.iter().map(Vec::len).sum::<usize>();
    let mut done = 0;
    let mut step = |cell: Cell, round: usize| {
        let Cell { door, op, batch } = cell;
        let (op, of) = (op.name(), plan.rounds);
        let doing = format!(
            "{door}, {op}, {batch} per request, round {} of {of}",
            round + 1
        );
        tell(Progress { done, total, doing });
        done += 1;
    };
    let mut searched: HashMap<Door, Searched> = HashMap::new();
    for round in 0..plan.rounds {
        for group in &groups {
            for pass in 0..PASSES {
                for at in 0..group.len() {
                    let cell = group[(at + round + pass) % group.len()];
                    let legs = cells.entry(cell).or_default();
                    if pass == 0 {
                        step(cell, round);
                    } else if !run.is_again(legs, round) {
                        continue;
                    }
                    let turn = round * PASSES + pass;
                    let outcome = match cell.op {
                        Op::Ingest => run.ingest(cell, turn, legs),
                        Op::Search => run.search(cell, turn, legs, &mut searched),
                    };
                    if let Err(error) = outcome {
                        faults.push(Fault::new(cell, error.to_string()));
                    }
                }
            }
        }
    }
    drop(searched);
    let mut rows = Vec::new();
    for cell in groups.iter().flatten().filter(|cell| run.is_asked(cell)) {
        let beside = |door| cells.get(&Cell { door, ..*cell });
        let legs = cells.get(cell).cloned().unwrap_or_default();
        let (engine, embedded) = (beside(Door::Engine), beside(Door::Embedded));
        rows.extend(row(
            *cell,
            &legs,
            engine,
            embedded,
            plan.durability().as_str(),
        ));
    }
    let mut workload = serde_json::to_value(plan)?;
    workload["vectors"] = work.rows().into();
    workload["dim"] = work.dim.into();
    Ok(Climb {
        machine,
        workload,
        story: Story::beside(&rows),
        command: plan.command(),
        rows,
        not_run,
        faults,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// The programs of other languages, and the doors that cannot be measured.
fn prepare(
    plan: &Plan,
    mut languages: Languages<'_>,
    say: &dyn Fn(&str),
) -> (HashMap<Door, Program>, Vec<NotRun>) {
    let (mut programs, mut not_run) = (HashMap::new(), Vec::new());
    for door in &plan.doors {
        let reason = match door.kind() {
            Kind::Here | Kind::Server | Kind::Owner => continue,
            Kind::Language | Kind::LanguageToServer => {
                say(&format!("making {door} ready"));
                match languages.prepare(*door, say) {
                    Ok(program) => {
                        programs.insert(*door, program);
                        continue;
                    }
                    Err(reason) => reason,
                }
            }
        };
        not_run.push(NotRun {
            door: door.name(),
            reason,
        });
    }
    (programs, not_run)
}

impl Run<'_> {
    /// What is measured next to each other: the cells of one op and batch. The engine and the
    /// embedded door are in each, for the others are compared with them.
    fn groups(&self, not_run: &[NotRun]) -> Vec<Vec<Cell>> {
        let can = |door: &Door| not_run.iter().all(|not| not.door != door.name());
        let doors: Vec<Door> = Door::ALL
            .into_iter()
            .filter(|door| {
                door.kind() == Kind::Here || (self.plan.doors.contains(door) && can(door))
            })
            .collect();
        let mut groups = Vec::new();
        for op in &self.plan.ops {
            let mut batches = match op {
                Op::Ingest => self.plan.batches.clone(),
                Op::Search => QUERY_BATCHES.to_vec(),
            };
            if doors.contains(&Door::CSingle) && !batches.contains(&1) {
                batches.insert(0, 1);
            }
            for batch in batches {
                let cells = doors.iter().map(|door| Cell {
                    door: *door,
                    op: *op,
                    batch,
                });
                groups.push(cells.filter(|cell| self.is_measured(cell)).collect());
            }
        }
        groups
    }

    /// Whether a door takes batches of this size.
    fn is_measured(&self, cell: &Cell) -> bool {
        let is_extra = cell.op == Op::Ingest && !self.plan.batches.contains(&cell.batch);
        match cell.door {
            Door::CSingle => cell.batch == 1,
            Door::PythonReserve | Door::PythonHttpJson => cell.op == Op::Ingest && !is_extra,
            Door::Engine | Door::Embedded => true,
            _ => !is_extra,
        }
    }

    /// Whether a cell has another turn in a round.
    fn is_again(&self, legs: &Legs, round: usize) -> bool {
        let seconds = legs.seconds_since(round * PASSES);
        seconds > 0.0 && seconds < self.plan.seconds * AGAIN_SHARE
    }

    /// Whether a cell's row was asked for, and not only needed for others.
    fn is_asked(&self, cell: &Cell) -> bool {
        let batches = match cell.op {
            Op::Ingest => &self.plan.batches[..],
            Op::Search => &QUERY_BATCHES,
        };
        let is_batch = batches.contains(&cell.batch) || cell.door == Door::CSingle;
        is_batch && self.plan.doors.contains(&cell.door)
    }

    /// Measures a cell of writes once, and in the first turn of a round with nothing behind the
    /// door.
    fn ingest(&mut self, cell: Cell, turn: usize, legs: &mut Legs) -> Result<()> {
        let (behind, seconds) = (self.plan.engine, self.plan.seconds);
        let is_short = cell.batch < LONG_BATCH && cell.door.is_in_process();
        let leg = self.write(cell, behind, !is_short, seconds)?;
        legs.real.push(Leg { turn, ..leg });
        if is_short && turn == 0 {
            legs.explained = Some(self.write(cell, behind, true, seconds)?);
        }
        if turn.is_multiple_of(PASSES) {
            let leg = self.write(cell, Behind::Null, false, seconds * NULL_SHARE)?;
            legs.null.push(Leg { turn, ..leg });
        }
        Ok(())
    }

    fn write(
        &mut self,
        cell: Cell,
        behind: Behind,
        is_explained: bool,
        seconds: f64,
    ) -> Result<Leg> {
        let path = self.place.fresh("written")?;
        if let Some(program) = self.languages.get(&cell.door) {
            let mut job = self.job(cell, behind, &path, is_explained, seconds)?;
            let server = self.serve(&mut job)?;
            let (leg, _) = program.climb(&job)?;
            drop(server);
            if behind == Behind::Real {
                let database = nearfield::connect(utf8(&path)?)?;
                self.check(&database, leg.count)?;
            }
            return Ok(leg);
        }
        let open = Open::door(cell.door, behind, &path, self.program, is_explained)?;
        open.create(self.work.dim)?;
        let order = Order {
            batch: cell.batch,
            durability: self.plan.durability(),
            time_max: Duration::from_secs_f64(seconds),
            server_cpu: &|| open.server_cpu(),
        };
        let leg = climb::ingest(&open.rung, self.work, &order)?;
        if behind == Behind::Real {
            self.check(&open.rung.database()?, leg.count)?;
        }
        Ok(leg)
    }

    /// Starts a server where a program in another language calls one, and points the job there.
    pub(super) fn serve(&self, job: &mut Job<'_>) -> Result<Option<Server>> {
        if job.cell.door.kind() != Kind::LanguageToServer {
            return Ok(None);
        }
        let server = Server::start(Some(self.program), &*job.target)?;
        job.target = format!("http://{}", server.address);
        job.is_explained = false;
        Ok(Some(server))
    }

    pub(super) fn check(&mut self, database: &Database, rows: usize) -> Result<()> {
        self.checker.check(&database.collection(COLLECTION)?, rows)
    }

    /// What a program in another language is to do.
    pub(super) fn job<'j>(
        &'j self,
        cell: Cell,
        behind: Behind,
        path: &'j Path,
        is_explained: bool,
        seconds: f64,
    ) -> Result<Job<'j>> {
        Ok(Job {
            cell,
            target: match behind {
                Behind::Real => utf8(path)?.to_owned(),
                Behind::Null => "null:".to_owned(),
            },
            is_new: behind == Behind::Null || cell.op == Op::Ingest,
            work: self.work,
            durability: self.plan.durability().as_str(),
            seconds,
            folder: self.place.path(),
            is_explained,
        })
    }

    /// Measures a cell of searches once, and in the first turn of all with nothing behind the door.
    fn search(
        &mut self,
        cell: Cell,
        turn: usize,
        legs: &mut Legs,
        all: &mut HashMap<Door, Searched>,
    ) -> Result<()> {
        let searched = match all.entry(cell.door) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(self.searched(cell)?),
        };
        let seconds = self.plan.seconds * SEARCH_SHARE;
        let behind = self.plan.engine;
        // A search is long beside a look at the clock.
        let leg = self.find(cell, behind, true, seconds, searched)?;
        legs.real.push(Leg { turn, ..leg });
        if turn == 0 {
            let leg = self.find(cell, Behind::Null, false, seconds * NULL_SHARE, searched)?;
            legs.null.push(Leg { turn, ..leg });
        }
        Ok(())
    }
}

/// A path as a target.
pub(super) fn utf8(path: &Path) -> Result<&str> {
    Ok(path.to_str().ok_or("the path is not valid Unicode")?)
}
