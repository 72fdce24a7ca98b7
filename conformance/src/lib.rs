//! Request and response cases that every door answers alike.
//!
//! A case is a file in `cases/`: steps that are sent in order to an empty store, each with
//! the response or the error that has to come back.
//! ```text
//! {
//!   "about": "what the case shows",
//!   "needs": ["files"],
//!   "steps": [
//!     {"request": {"flush": {"collection": "docs"}}, "response": {"flush": {"sequence": "*"}}},
//!     {"request": {"scan": {"collection": "docs", "limit": 1}},
//!      "response": {"scan": {"points": [{"id": 1}], "next": "*"}}, "save": {"page 2": "/scan/next"}},
//!     {"request": {"scan": {"collection": "docs", "cursor": "$page 2"}},
//!      "error": {"kind": "invalid_argument", "row": 1, "field": "cursor"}}
//!   ]
//! }
//! ```
//! Requests and responses are the envelopes of [`nearfield_model::codec`]. In a response
//! `"*"` stands for anything but `null`; whole numbers are compared exactly, others within
//! a relative 1e-5. Of an error the kind is compared, and row and field where they are
//! given. `save` keeps a part of a response, which later requests name after a `$`. `needs`
//! tells what not every store has: `files`.

mod case;
mod compare;
mod naive;
mod replay;

pub use case::{Case, ExpectedError, Step, cases};
pub use compare::difference;
pub use naive::Naive;
pub use replay::{CaseResult, replay, replay_texts};
