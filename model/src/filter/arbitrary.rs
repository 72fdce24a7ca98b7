//! Arbitrary filters and metadata for property tests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Bound, Filter, Range};
use crate::value::{Number, Value};

const TIMES: [&str; 4] = [
    "1969-12-31T23:59:59Z",
    "2024-05-01",
    "2024-05-01T12:30:00.25+02:00",
    "9999-12-31T23:59:59.999999Z",
];

/// Few fields and values, so that filters meet metadata; some odd.
pub(crate) fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "a.b", "a.c", "b.b"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["in", "True", "1a", "a b", "`", "ä.ö", "\\", ".", "x\ny"])
            .prop_map(str::to_owned),
        1 => "\\PC{1,6}",
    ]
}

pub(crate) fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        (-3_i64..4).prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<i64>().prop_map(Number::from),
        (-3.0..3.0_f64).prop_filter_map("finite", Number::from_f64),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
    ]
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["", "x", "xy", "xyz", "\"'`\\", "a\nb\t"])
            .prop_map(str::to_owned),
        prop::sample::select(TIMES.to_vec()).prop_map(str::to_owned),
        any::<String>(),
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(Value::Number),
        text().prop_map(Value::from),
    ]
}

fn range() -> impl Strategy<Value = Range> {
    let numbers = number().prop_map(Bound::Number).boxed();
    let times = prop::sample::select(TIMES.to_vec())
        .prop_map(|text| Bound::time(text).unwrap())
        .boxed();
    prop_oneof![numbers_or(numbers), numbers_or(times)]
}

fn numbers_or(bound: BoxedStrategy<Bound>) -> impl Strategy<Value = Range> {
    (bound.clone(), bound, 0..8_u8).prop_map(|(low, high, shape)| match shape {
        0 => Range::default().gt(low),
        1 => Range::default().gte(low),
        2 => Range::default().lt(high),
        3 => Range::default().lte(high),
        4 => Range::default().gt(low).lt(high),
        5 => Range::default().gt(low).lte(high),
        6 => Range::default().gte(low).lt(high),
        _ => Range::default().gte(low).lte(high),
    })
}

/// Filters that pass the check, in normal form or not.
pub(crate) fn filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        (field(), value()).prop_map(|(field, value)| Filter::eq(field, value)),
        (field(), vec(value(), 0..5)).prop_map(|(field, values)| Filter::one_of(field, values)),
        (field(), range()).prop_map(|(field, range)| Filter::range(field, range)),
        field().prop_map(Filter::exists),
        (field(), text()).prop_map(|(field, text)| Filter::prefix(field, text)),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::All),
            vec(inner.clone(), 0..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        value().prop_map(|value| serde_json::to_value(value).unwrap()),
    ];
    scalar.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            members(inner),
        ]
    })
}

fn members(
    value: impl Strategy<Value = serde_json::Value> + 'static,
) -> impl Strategy<Value = serde_json::Value> {
    let key = prop::sample::select(vec!["a", "b", "c", "a.b", "in"]);
    vec((key, value), 0..4).prop_map(|members| {
        members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    })
}

/// Objects.
pub(crate) fn metadata() -> impl Strategy<Value = serde_json::Value> {
    members(json())
}
