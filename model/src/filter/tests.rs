//! Laws of filters, on arbitrary ones.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::arbitrary::{filter, metadata};
use super::{Condition, Filter, Test};
use crate::value::{Number, ValueRef};

/// The meaning of filters, told over parsed JSON.
fn naive(filter: &Filter, metadata: &Json) -> bool {
    match filter {
        Filter::All(members) => members.iter().all(|member| naive(member, metadata)),
        Filter::Any(members) => members.iter().any(|member| naive(member, metadata)),
        Filter::Not(inner) => !naive(inner, metadata),
        Filter::Condition(condition) => somewhere(metadata, "", condition),
    }
}

fn somewhere(json: &Json, path: &str, condition: &Condition) -> bool {
    let Condition { field, test } = condition;
    let passes = |value| match test {
        Test::Exists => path == field || path.starts_with(&format!("{field}.")),
        test => path == field && test.matches(value),
    };
    match json {
        Json::Null => false,
        Json::Bool(flag) => passes(ValueRef::Bool(*flag)),
        Json::String(text) => passes(ValueRef::String(text)),
        Json::Number(number) => passes(ValueRef::Number(
            Number::parse(&number.to_string()).unwrap(),
        )),
        Json::Array(elements) => elements
            .iter()
            .any(|element| somewhere(element, path, condition)),
        Json::Object(members) => members.iter().any(|(name, member)| match path {
            "" => somewhere(member, name, condition),
            path => somewhere(member, &format!("{path}.{name}"), condition),
        }),
    }
}

proptest! {
    #[test]
    fn text_is_read_back(filter in filter()) {
        let normal = filter.clone().normalized();
        prop_assert_eq!(&Filter::parse(&filter.to_string()).unwrap(), &normal);
        prop_assert_eq!(normal.clone().normalized(), normal.clone());
    }

    #[test]
    fn json_is_read_back(filter in filter()) {
        let normal = filter.clone().normalized();
        for form in [&filter, &normal] {
            let json = serde_json::to_string(form).unwrap();
            prop_assert_eq!(&Filter::from_json(&json).unwrap(), &normal);
        }
    }

    #[test]
    fn matches_as_told_over_parsed_json(filter in filter(), metadata in metadata()) {
        let expected = naive(&filter, &metadata);
        prop_assert_eq!(filter.matches(Some(&metadata.to_string())), expected);
        prop_assert_eq!(filter.clone().normalized().matches(Some(&metadata.to_string())), expected);
        prop_assert_eq!((!filter).matches(Some(&metadata.to_string())), !expected);
    }
}
