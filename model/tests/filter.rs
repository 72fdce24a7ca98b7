//! Filters: what their text and JSON forms mean, and what is refused.

use nearfield_model::filter::{Bound, Range};
use nearfield_model::{ErrorKind, Filter};

fn parse(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn text_and_json_say_the_same() {
    for (text, json, canonical) in [
        (
            "genre = 'jazz' AND year >= 1960",
            r#"{"must": [{"field": "genre", "eq": "jazz"}, {"field": "year", "range": {"gte": 1960}}]}"#,
            r#"genre = "jazz" and year >= 1960"#,
        ),
        (
            "a = 1 or b = 2 and not c = 3",
            r#"{"should": [{"field": "a", "eq": 1}, {"must": [{"field": "b", "eq": 2}], "must_not": [{"field": "c", "eq": 3}]}]}"#,
            "a = 1 or b = 2 and c != 3",
        ),
        (
            "(a = 1 or b = true) and c != 1.50",
            r#"{"should": [{"field": "a", "eq": 1}, {"field": "b", "eq": true}], "must_not": [{"field": "c", "eq": 1.5}]}"#,
            "(a = 1 or b = true) and c != 1.5",
        ),
        (
            "not (not in_print = 1)",
            r#"{"must_not": [{"must_not": ["in_print = 1"]}]}"#,
            "in_print = 1",
        ),
        (
            r#"not exists a.b and title starts with "\"K\n""#,
            r#"{"must": [{"field": "a.b", "exists": false}, {"field": "title", "prefix": "\"K\n"}]}"#,
            r#"not exists a.b and title starts with "\"K\n""#,
        ),
        (
            "1970 > year >= 1960 and `two words` not in [1, 'x', false,]",
            r#"{"must": [{"field": "year", "range": {"lt": 1970, "gte": 1960}}], "must_not": [{"field": "two words", "in": [1, "x", false]}]}"#,
            r#"1960 <= year < 1970 and `two words` not in (1, "x", false)"#,
        ),
        (
            "added < '2024-05-01T12:30:00Z' and `exists` in ()",
            r#"{"must": [{"field": "added", "range": {"lt": "2024-05-01T12:30:00Z"}}, {"field": "exists", "in": []}]}"#,
            r#"added < "2024-05-01T12:30:00Z" and `exists` in ()"#,
        ),
        (
            "n == 18446744073709551615 or n=-9223372036854775808 or n>1e300",
            r#"{"should": [{"field": "n", "eq": 18446744073709551615}, {"field": "n", "eq": -9223372036854775808}, {"field": "n", "range": {"gt": 1e300}}]}"#,
            "n = 18446744073709551615 or n = -9223372036854775808 or n > 1e300",
        ),
        ("true", "{}", "true"),
        ("not true", r#"{"must_not": [{}]}"#, "false"),
        ("(((a = 1)))", r#""a = 1""#, "a = 1"),
        (
            "a = 1 and true and (b = 2 and c = 3)",
            r#"{"must": ["a = 1", {"must": ["b = 2", "c = 3"], "should": []}]}"#,
            "a = 1 and b = 2 and c = 3",
        ),
        (
            "größe-2 = 1",
            r#"{"field": "größe-2", "eq": 1}"#,
            "größe-2 = 1",
        ),
    ] {
        let filter = parse(text);
        let from_json = Filter::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(filter, from_json, "{text}");
        assert_eq!(filter.to_string(), canonical);
        assert_eq!(serde_json::from_str::<Filter>(json).unwrap(), filter);
    }
}

#[test]
fn built_filters_equal_parsed_ones() {
    let built = Filter::eq("a", 1)
        .or(Filter::one_of("b", ["x", "y"]))
        .and(Filter::range("c", Range::default().gt(1).lte(2)))
        .and(!Filter::prefix("d", "p").or(Filter::exists("e")))
        .and(Filter::range(
            "f",
            Range::default().gte(Bound::time("2024-05-01").unwrap()),
        ));
    let text = "(a = 1 or b in ('x', 'y')) and 1 < c <= 2 \
                and not (d starts with 'p' or exists e) and f >= '2024-05-01'";
    assert_eq!(built, parse(text));
}

#[test]
fn faults_in_text_are_pointed_at() {
    for (text, message) in [
        (
            "",
            "at column 1 (^): expected a condition, such as genre = \"jazz\"",
        ),
        (
            "genre = and year",
            "at column 9 (genre = ^and year): expected a string in quotes",
        ),
        (
            "genre \"jazz\"",
            "at column 7 (genre ^\"jazz\"): expected one of =",
        ),
        (
            "a = 1 b = 2",
            "at column 7 (a = 1 ^b = 2): expected `and`, `or` or the end",
        ),
        (
            "(a = 1",
            "at column 7 ((a = 1^): expected `and`, `or` or `)`",
        ),
        ("a = 'x", "at column 5 (a = ^'x): the ' is not closed"),
        (r"a = 'x\y'", r"at column 7 (a = 'x^\y'): expected \\"),
        ("a = null", "not exists a"),
        ("a < 'x'", "at column 5 (a < ^'x'): \"x\" is not a time"),
        ("a = 1e999", "at column 5 (a = ^1e999): expected a number"),
        ("a = 1x", "expected a number"),
        ("a = -", "expected a number"),
        ("a in 1", "at column 6 (a in ^1): expected a list"),
        ("a in (1 2)", "expected `,` or `)`"),
        ("a in (1]", "expected `,` or `)`"),
        ("a not = 1", "expected `in`"),
        ("a starts 'x'", "expected `with`"),
        ("a starts with 1", "expected a string"),
        ("1 < a > 2", "the same direction"),
        ("1 = a", "other conditions begin with the field"),
        ("1 < a < '2024-05-01'", "a number and a time"),
        ("and = 1", "backticks"),
        ("`` = 1", "expected a condition"),
        ("exists", "expected a field"),
        ("a ? 1", "'?' has no meaning"),
        ("a = 1 and", "expected a condition"),
        ("ä = ö", "at column 5 (ä = ^ö)"),
    ] {
        let error = Filter::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.field(), Some("filter"));
        assert!(error.message().contains(message), "{text}: {error}");
    }
    let long = format!("{} = 1 ! {}", "a".repeat(300), "b".repeat(300));
    let error = Filter::parse(&long).unwrap_err();
    assert!(error.message().chars().count() < 160, "{error}");
    assert!(
        error.message().starts_with("at column 306 (…aaaa"),
        "{error}"
    );
}

#[test]
fn faults_in_json_are_named() {
    for (json, message) in [
        ("", "EOF"),
        ("null", "expected a filter"),
        ("[]", "expected a filter"),
        (
            r#"{"field": "a", "eq": null}"#,
            "null cannot be compared with",
        ),
        (r#"{"field": "a", "eq": [1]}"#, "use `in`"),
        (r#"{"field": "a", "eq": {}}"#, "expected a string, a number"),
        (
            r#"{"field": "a", "eq": 1, "in": [2]}"#,
            "two tests, eq and in",
        ),
        (
            r#"{"field": "a", "equals": 1}"#,
            "\"equals\" is not part of a filter",
        ),
        (r#"{"field": "a"}"#, "has no test"),
        (r#"{"eq": 1}"#, "has no field"),
        (r#"{"field": "", "eq": 1}"#, "field is empty"),
        (
            r#"{"field": "a", "eq": 1, "must": []}"#,
            "a group and a condition",
        ),
        (
            r#"{"field": "a", "field": "b", "eq": 1}"#,
            "field is given twice",
        ),
        (
            r#"{"must": {"field": "a", "eq": 1}}"#,
            "expected a list of filters",
        ),
        (r#"{"must": ["a ="]}"#, "at column 4 (a =^)"),
        (r#"{"field": "a", "range": {}}"#, "has no bounds"),
        (
            r#"{"field": "a", "range": {"gt": 1, "gte": 2}}"#,
            "two lower bounds",
        ),
        (
            r#"{"field": "a", "range": {"lt": 1, "lte": 2}}"#,
            "two upper bounds",
        ),
        (
            r#"{"field": "a", "range": {"gt": 1, "lt": "2024-05-01"}}"#,
            "a number and a time",
        ),
        (
            r#"{"field": "a", "range": {"min": 1}}"#,
            "\"min\" is not part of a range",
        ),
        (
            r#"{"field": "a", "range": {"gt": null}}"#,
            "expected a number, or a time",
        ),
        (
            r#"{"field": "a", "range": {"gt": "x"}}"#,
            "\"x\" is not a time",
        ),
        (r#"{"field": "a", "exists": 1}"#, "expected a boolean"),
        (r#"{"field": "a", "in": 1}"#, "expected a list of strings"),
        (r#"{"field": "a", "in": [null]}"#, "null cannot"),
        (r#"{"field": "a", "prefix": 1}"#, "expected a string"),
        ("{} {}", "trailing"),
    ] {
        let error = Filter::from_json(json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{json}: {error}");
        assert_eq!(error.field(), Some("filter"));
        assert!(error.message().contains(message), "{json}: {error}");
    }
}

#[test]
fn limits_hold_in_both_forms_and_in_code() {
    let deep_text = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&deep_text(31)).is_ok());
    let deep_json = |depth: usize| {
        let (open, close) = (r#"{"must_not":[{"must_not":["#, "]}]}");
        format!("{}{{}}{}", open.repeat(depth), close.repeat(depth))
    };
    let nested = |depth: usize| {
        (0..depth).fold(Filter::eq("a", 1), |filter, _| {
            Filter::Not(Box::new(filter))
        })
    };
    assert!(nested(31).check().is_ok());
    let many = "a = 1 or ".repeat(1_024) + "a = 1";
    let values = format!("a in ({}1)", "1,".repeat(65_536));
    let two_lists = format!("a in ({0}1) and a in ({0}1)", "1,".repeat(40_000));
    let field = format!("{} = 1", "a".repeat(513));
    let long = format!("a = '{}'", "x".repeat(1 << 20));
    for refused in [
        Filter::parse(&deep_text(33)),
        Filter::parse(&deep_text(500_000)),
        Filter::from_json(&deep_json(17)),
        Filter::from_json(&format!("{:?}", deep_text(40))),
        Filter::parse(&many),
        Filter::parse(&values),
        Filter::from_json(&format!(
            r#"{{"field":"a","in":[{}1]}}"#,
            "1,".repeat(70_000)
        )),
        Filter::parse(&two_lists),
        Filter::parse(&field),
        Filter::parse(&long),
        nested(32).check().map(|()| nested(32)),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert_eq!(error.field(), Some("filter"));
    }
    assert!(Filter::parse(&("not ".repeat(100_001) + "a = 1")).is_ok());
    assert!(Filter::from_json(&deep_json(30_000)).is_err());
}

#[test]
fn conditions_match_what_they_say() {
    let metadata = r#"{
        "genre": "jazz", "year": 1961, "length": 5.5, "live": false, "label": null,
        "tags": ["mono", "1959", 7], "band": {"leader": "Miles", "players": [{"name": "Bill"}, {"name": "Paul"}]},
        "added": "2024-05-01T12:30:00+02:00", "big": 18446744073709551615, "a.b": 1, "empty": {}, "none": []
    }"#;
    for (text, expected) in [
        ("genre = 'jazz'", true),
        ("genre = 'Jazz'", false),
        ("genre != 'jazz'", false),
        ("genre != 7", true),
        ("year = 1961.0", true),
        ("year = '1961'", false),
        ("live = false", true),
        ("live = 0", false),
        ("tags = 'mono'", true),
        ("tags = 7", true),
        ("tags != 'mono'", false),
        ("tags in ('x', 'mono')", true),
        ("tags not in ('x', 'y')", true),
        ("6 < tags < 8", true),
        ("tags starts with '19'", true),
        ("year starts with '19'", false),
        ("band.leader = 'Miles'", true),
        ("band.players.name = 'Paul'", true),
        ("players.name = 'Paul'", false),
        ("a.b = 1", true),
        ("big = 18446744073709551615", true),
        ("big > 18446744073709551614", true),
        ("big = 18446744073709551614", false),
        ("exists band", true),
        ("exists band.players", true),
        ("exists ban", false),
        ("exists label", false),
        ("exists empty", false),
        ("exists none", false),
        ("not exists missing", true),
        ("1960 <= year < 1961", false),
        ("5 < length <= 5.5", true),
        ("added = '2024-05-01T10:30:00Z'", false),
        ("added >= '2024-05-01T10:30:00Z'", true),
        ("added > '2024-05-01T10:30:00Z'", false),
        ("added < '2024-05-02'", true),
        ("added < 9e99", false),
        ("year < '2024-05-02'", false),
        ("genre < '2024-05-02'", false),
        ("true", true),
        ("false", false),
    ] {
        assert_eq!(parse(text).matches(Some(metadata)), expected, "{text}");
    }
    for (text, expected) in [
        ("true", true),
        ("a = 1", false),
        ("a != 1", true),
        ("exists a", false),
        ("not exists a", true),
        ("a in ()", false),
        ("a not in ()", true),
    ] {
        assert_eq!(parse(text).matches(None), expected, "{text}");
        assert_eq!(parse(text).matches(Some("{}")), expected, "{text}");
    }
}
