//! What came of the last writes of each client, so that a retried write is applied once.

use std::collections::{HashMap, VecDeque};

use nearfield_model::RequestId;
use nearfield_model::limits::{OUTCOME_CLIENTS_MAX, OUTCOMES_PER_CLIENT_MAX};
use serde::{Deserialize, Serialize};

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The kind of record that it made.
    pub(crate) kind: u8,
    /// Its number.
    pub(crate) sequence: u64,
    /// The points that it affected.
    pub(crate) affected: u64,
}

/// The last [`OUTCOMES_PER_CLIENT_MAX`] outcomes of each of the last
/// [`OUTCOME_CLIENTS_MAX`] clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcomes {
    clients: HashMap<[u8; 16], Writes>,
}

/// The last writes of a client, in the order in which they were applied.
#[derive(Clone, Debug, Default)]
struct Writes {
    outcomes: VecDeque<(u64, Outcome)>,
    /// No number above this one was ever used.
    largest: u64,
}

impl Outcomes {
    /// The outcome of an earlier try, if it is remembered.
    pub(crate) fn get(&self, request: &RequestId) -> Option<Outcome> {
        let writes = self.clients.get(&request.client)?;
        // Numbers are counted up, so most are new.
        if request.number > writes.largest {
            return None;
        }
        let found = writes
            .outcomes
            .iter()
            .rev()
            .find(|(number, _)| *number == request.number);
        found.map(|(_, outcome)| *outcome)
    }

    /// Remembers an outcome, and forgets what is over the bounds.
    pub(crate) fn insert(&mut self, request: &RequestId, outcome: Outcome) {
        if self.clients.len() >= OUTCOME_CLIENTS_MAX && !self.clients.contains_key(&request.client)
        {
            let last = |writes: &Writes| writes.outcomes.back().map(|write| write.1.sequence);
            let silent = self.clients.iter().min_by_key(|(_, writes)| last(writes));
            if let Some(client) = silent.map(|(client, _)| *client) {
                self.clients.remove(&client);
            }
        }
        let writes = self.clients.entry(request.client).or_default();
        if writes.outcomes.len() >= OUTCOMES_PER_CLIENT_MAX {
            writes.outcomes.pop_front();
        }
        writes.outcomes.push_back((request.number, outcome));
        writes.largest = writes.largest.max(request.number);
    }

    /// All outcomes, each client's in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RequestId, Outcome)> {
        self.clients.iter().flat_map(|(client, writes)| {
            writes.outcomes.iter().map(|(number, outcome)| {
                (
                    RequestId {
                        client: *client,
                        number: *number,
                    },
                    *outcome,
                )
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_outcomes_of_a_client_are_remembered() {
        let mut outcomes = Outcomes::default();
        let request = |number| RequestId {
            client: [1; 16],
            number,
        };
        for number in 0..OUTCOMES_PER_CLIENT_MAX as u64 + 1 {
            outcomes.insert(
                &request(number),
                Outcome {
                    kind: 0,
                    sequence: number,
                    affected: 1,
                },
            );
        }
        assert_eq!(outcomes.get(&request(0)), None);
        assert_eq!(
            outcomes.get(&request(7)).map(|outcome| outcome.sequence),
            Some(7)
        );
        for client in 0..OUTCOME_CLIENTS_MAX as u64 {
            let mut name = [0; 16];
            name[..8].copy_from_slice(&client.to_le_bytes());
            let outcome = Outcome {
                kind: 0,
                sequence: 10_000 + client,
                affected: 1,
            };
            outcomes.insert(
                &RequestId {
                    client: name,
                    number: 1,
                },
                outcome,
            );
        }
        assert_eq!(outcomes.get(&request(7)), None);
    }
}
