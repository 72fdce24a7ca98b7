//! The JSON form of filters.
//!
//! ```text
//! filter    = group | condition | "text form"
//! group     = {"must": [filter…], "should": [filter…], "must_not": [filter…]}
//! condition = {"field": "a.b", "eq": scalar}    | {"field": "a.b", "in": [scalar…]}
//!           | {"field": "a.b", "exists": true}  | {"field": "a.b", "prefix": "text"}
//!           | {"field": "a.b", "range": {"gt" | "gte" | "lt" | "lte": number or time…}}
//! ```
//! In a group all of `must` hold, at least one of `should` if any are given, and none of
//! `must_not`; so `{}` matches every point.

mod read;
mod write;
