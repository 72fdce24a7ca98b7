//! What stands before each message: its length, what it is, and the circumstances of its call.

use std::time::Duration;

use nearfield_model::{Error, RequestId, Stage, StageClock};

use crate::codec::{Fault, Raw, Source};

/// Bytes of a request's head.
pub(crate) const REQUEST_HEAD_BYTES: usize = 64;
/// Bytes of a response's head.
pub(crate) const RESPONSE_HEAD_BYTES: usize = 64;

const HAS_DEADLINE: u8 = 1;
const HAS_ID: u8 = 2;

/// The head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestHead {
    /// Bytes of the message behind the head.
    pub(crate) length: u32,
    /// The number of its verb.
    pub(crate) verb: u8,
    /// The caller's number for the call; the response bears it too.
    pub(crate) call: u64,
    /// The time that is left to answer.
    pub(crate) timeout: Option<Duration>,
    /// Names a write.
    pub(crate) id: Option<RequestId>,
    /// When the head was written, by the clock that both sides share.
    pub(crate) sent_ns: u64,
}

impl RequestHead {
    /// The head as bytes.
    pub(crate) fn encode(&self) -> [u8; REQUEST_HEAD_BYTES] {
        let mut head = [0; REQUEST_HEAD_BYTES];
        let timeout_us = self
            .timeout
            .map(|left| left.as_micros().try_into().unwrap_or(u64::MAX));
        let id = self.id.unwrap_or(RequestId {
            client: [0; 16],
            number: 0,
        });
        let flags = flag(HAS_DEADLINE, timeout_us.is_some()) | flag(HAS_ID, self.id.is_some());
        head[..4].copy_from_slice(&self.length.to_le_bytes());
        head[4] = self.verb;
        head[5] = flags;
        head[8..16].copy_from_slice(&self.call.to_le_bytes());
        head[16..24].copy_from_slice(&timeout_us.unwrap_or(0).to_le_bytes());
        head[24..40].copy_from_slice(&id.client);
        head[40..48].copy_from_slice(&id.number.to_le_bytes());
        head[48..56].copy_from_slice(&self.sent_ns.to_le_bytes());
        head
    }

    /// The head that bytes are.
    pub(crate) fn decode(head: &[u8; REQUEST_HEAD_BYTES]) -> Result<Self, Error> {
        let flags = head[5];
        let known = flags & !(HAS_DEADLINE | HAS_ID) == 0;
        let spare = [&head[6..8], &head[56..]].concat();
        if !known || spare.iter().any(|byte| *byte != 0) {
            return Err(Error::invalid("this is not the head of a request"));
        }
        Ok(RequestHead {
            length: u32::from_le_bytes(word(head, 0)),
            verb: head[4],
            call: u64::from_le_bytes(word(head, 8)),
            timeout: (flags & HAS_DEADLINE != 0)
                .then(|| Duration::from_micros(u64::from_le_bytes(word(head, 16)))),
            id: (flags & HAS_ID != 0).then(|| RequestId {
                client: word(head, 24),
                number: u64::from_le_bytes(word(head, 40)),
            }),
            sent_ns: u64::from_le_bytes(word(head, 48)),
        })
    }

    /// Takes the head of the next message.
    pub(crate) fn take(source: &mut Source<impl Raw>) -> Result<Self, Fault> {
        source.begin(REQUEST_HEAD_BYTES);
        let head = RequestHead::decode(&source.array()?)?;
        source.begin(head.length as usize);
        Ok(head)
    }
}

/// The stages that a response tells, in the order of its head.
const STAGES: [Stage; 5] = [
    Stage::Send,
    Stage::Decode,
    Stage::Copy,
    Stage::Engine,
    Stage::Encode,
];

const IS_ERROR: u8 = 1;

/// The head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResponseHead {
    /// Bytes of the message behind the head.
    pub(crate) length: u32,
    /// The number of the verb that is answered.
    pub(crate) verb: u8,
    /// Whether the message is an error.
    pub(crate) is_error: bool,
    /// The call that is answered.
    pub(crate) call: u64,
    /// When the head was written, by the clock that both sides share.
    pub(crate) sent_ns: u64,
    /// Nanoseconds of the answering side's stages.
    pub(crate) stages_ns: [u64; STAGES.len()],
}

impl ResponseHead {
    /// The stages of a clock.
    pub(crate) fn stages(clock: &StageClock) -> [u64; STAGES.len()] {
        STAGES.map(|stage| clock.get(stage).as_nanos().try_into().unwrap_or(u64::MAX))
    }

    /// Adds the stages to a clock; together they last no longer than the caller waited.
    pub(crate) fn add_stages(&self, clock: &StageClock, waited: Duration) {
        let mut left = waited;
        for (stage, ns) in STAGES.into_iter().zip(self.stages_ns) {
            let time = Duration::from_nanos(ns).min(left);
            left -= time;
            clock.add(stage, time);
        }
    }

    /// The head as bytes.
    pub(crate) fn encode(&self) -> [u8; RESPONSE_HEAD_BYTES] {
        let mut head = [0; RESPONSE_HEAD_BYTES];
        head[..4].copy_from_slice(&self.length.to_le_bytes());
        head[4] = self.verb;
        head[5] = flag(IS_ERROR, self.is_error);
        head[8..16].copy_from_slice(&self.call.to_le_bytes());
        head[16..24].copy_from_slice(&self.sent_ns.to_le_bytes());
        for (place, ns) in head[24..].chunks_exact_mut(8).zip(self.stages_ns) {
            place.copy_from_slice(&ns.to_le_bytes());
        }
        head
    }

    /// The head that bytes are.
    pub(crate) fn decode(head: &[u8; RESPONSE_HEAD_BYTES]) -> Result<Self, Error> {
        if head[5] & !IS_ERROR != 0 || head[6] != 0 || head[7] != 0 {
            return Err(Error::internal("this is not the head of a response"));
        }
        Ok(ResponseHead {
            length: u32::from_le_bytes(word(head, 0)),
            verb: head[4],
            is_error: head[5] & IS_ERROR != 0,
            call: u64::from_le_bytes(word(head, 8)),
            sent_ns: u64::from_le_bytes(word(head, 16)),
            stages_ns: std::array::from_fn(|stage| u64::from_le_bytes(word(head, 24 + stage * 8))),
        })
    }

    /// Takes the head of the next message.
    pub(crate) fn take(source: &mut Source<impl Raw>) -> Result<Self, Fault> {
        source.begin(RESPONSE_HEAD_BYTES);
        let head = ResponseHead::decode(&source.array()?)?;
        source.begin(head.length as usize);
        Ok(head)
    }
}

fn flag(bit: u8, is_set: bool) -> u8 {
    if is_set { bit } else { 0 }
}

fn word<const N: usize>(head: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|byte| head[at + byte])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back_as_they_were() {
        let head = RequestHead {
            length: 77,
            verb: 5,
            call: 9,
            timeout: Some(Duration::from_micros(12_345)),
            id: Some(RequestId {
                client: [7; 16],
                number: u64::MAX,
            }),
            sent_ns: 3,
        };
        assert_eq!(RequestHead::decode(&head.encode()).unwrap(), head);
        let bare = RequestHead {
            timeout: None,
            id: None,
            ..head
        };
        assert_eq!(RequestHead::decode(&bare.encode()).unwrap(), bare);
        let response = ResponseHead {
            length: 1,
            verb: 2,
            is_error: true,
            call: 3,
            sent_ns: 4,
            stages_ns: [5, 6, 7, 8, 9],
        };
        assert_eq!(ResponseHead::decode(&response.encode()).unwrap(), response);
    }

    #[test]
    fn stages_last_no_longer_than_the_caller_waited() {
        let head = ResponseHead {
            length: 0,
            verb: 1,
            is_error: false,
            call: 1,
            sent_ns: 0,
            stages_ns: [u64::MAX; 5],
        };
        let clock = StageClock::default();
        head.add_stages(&clock, Duration::from_micros(5));
        let total: Duration = Stage::ALL.into_iter().map(|stage| clock.get(stage)).sum();
        assert_eq!(total, Duration::from_micros(5));
    }
}
