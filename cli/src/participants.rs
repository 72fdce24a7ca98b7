//! Who shares a path, for `nearfield info`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nearfield::{Participant, Participants};
use serde_json::{Value, json};

use crate::failure::Outcome;
use crate::show::{Align, Table, clean, number, whole_seconds};
use crate::store::Store;

/// How long guests are watched for their rates.
const WATCHED: Duration = Duration::from_millis(250);

/// The other processes that share the path.
pub(crate) struct Others {
    owner: Option<Participant>,
    guests: Vec<Guest>,
}

struct Guest {
    is: Participant,
    /// Per second.
    requests: f64,
    vectors: f64,
}

impl Others {
    /// Asks the owner, twice if there are guests beside this process.
    pub(crate) fn of(store: &Store) -> Outcome<Self> {
        let none = Others {
            owner: None,
            guests: Vec::new(),
        };
        let Some(first) = store.participants()? else {
            return Ok(none);
        };
        let start = Instant::now();
        let first = without_this(first);
        if first.guests.is_empty() {
            return Ok(Others {
                owner: first.owner,
                ..none
            });
        }
        std::thread::sleep(WATCHED);
        let watched = start.elapsed().as_secs_f64();
        let second = match store.participants()? {
            Some(second) => without_this(second),
            None => return Ok(none),
        };
        let guests = second.guests.into_iter().map(|is| {
            let same = |other: &&Participant| (other.pid, other.since) == (is.pid, is.since);
            let before = first.guests.iter().find(same);
            let (requests, vectors) =
                before.map_or((0, 0), |before| (before.requests, before.vectors));
            let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / watched;
            Guest {
                requests: rate(is.requests, requests),
                vectors: rate(is.vectors, vectors),
                is,
            }
        });
        Ok(Others {
            guests: guests.collect(),
            owner: second.owner,
        })
    }

    /// The members of the answer as JSON: `owner` and `guests`.
    pub(crate) fn json(&self) -> (Value, Value) {
        let seconds = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs()
        };
        let owner = self.owner.as_ref().map(|owner| {
            json!({"pid": owner.pid, "program": owner.program, "since": seconds(owner.since)})
        });
        let guests = self.guests.iter().map(|guest| {
            json!({
                "pid": guest.is.pid,
                "program": guest.is.program,
                "since": seconds(guest.is.since),
                "requests": guest.is.requests,
                "vectors": guest.is.vectors,
                "requests_per_second": guest.requests,
                "vectors_per_second": guest.vectors,
            })
        });
        (json!(owner), guests.collect())
    }

    /// The lines of the answer as text.
    pub(crate) fn text(&self, width: Option<usize>) -> String {
        let mut table = Table::new([Align::Left, Align::Left]).indent(2);
        if let Some(owner) = &self.owner {
            table.row(["owner".to_owned(), who(owner)]);
        }
        for guest in &self.guests {
            let rates = format!(
                "{}; {} vectors/s, {} requests/s",
                who(&guest.is),
                number(guest.vectors.round() as u64),
                number(guest.requests.round() as u64),
            );
            table.row(["guest".to_owned(), rates]);
        }
        table.text(width)
    }

    /// Whether this process has the path to itself.
    pub(crate) fn are_none(&self) -> bool {
        self.owner.is_none() && self.guests.is_empty()
    }
}

fn without_this(mut all: Participants) -> Participants {
    let this = Some(std::process::id());
    all.owner = all.owner.filter(|owner| owner.pid != this);
    all.guests.retain(|guest| guest.pid != this);
    all
}

fn who(participant: &Participant) -> String {
    let process = match participant.pid {
        Some(pid) => format!("process {pid}"),
        None => "a process of another container".to_owned(),
    };
    let age = participant.since.elapsed().unwrap_or_default();
    format!(
        "{process} ({}), for {}",
        clean(&participant.program),
        whole_seconds(age)
    )
}
