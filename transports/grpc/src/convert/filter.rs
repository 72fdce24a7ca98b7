//! Filters.

use nearfield_model::filter::{Bound, Condition, Range, Test};
use nearfield_model::{Error, Filter, Number, Result, Value};

use crate::proto;
use crate::proto::condition::Test as TestMessage;
use crate::proto::filter::Filter as Kind;
use crate::proto::value::Value as Scalar;

pub(super) fn to_message(filter: &Filter) -> proto::Filter {
    let kind = match filter {
        Filter::All(members) => Kind::All(group(members)),
        Filter::Any(members) => Kind::Any(group(members)),
        Filter::Not(inner) => Kind::Not(Box::new(to_message(inner))),
        Filter::Condition(condition) => Kind::Condition(proto::Condition {
            field: condition.field.clone(),
            test: Some(test(&condition.test)),
        }),
    };
    proto::Filter { filter: Some(kind) }
}

fn group(members: &[Filter]) -> proto::Filters {
    proto::Filters {
        filters: members.iter().map(to_message).collect(),
    }
}

fn test(test: &Test) -> TestMessage {
    match test {
        Test::Eq(value) => TestMessage::Eq(value_to(value)),
        Test::In(values) => TestMessage::In(proto::Values {
            values: values.iter().map(value_to).collect(),
        }),
        Test::Range(range) => TestMessage::Range(proto::Range {
            gt: range.gt.as_ref().map(bound_to),
            gte: range.gte.as_ref().map(bound_to),
            lt: range.lt.as_ref().map(bound_to),
            lte: range.lte.as_ref().map(bound_to),
        }),
        Test::Exists => TestMessage::Exists(proto::condition::Exists {}),
        Test::Prefix(text) => TestMessage::Prefix(text.clone()),
    }
}

fn value_to(value: &Value) -> proto::Value {
    let value = match value {
        Value::Bool(flag) => Scalar::Boolean(*flag),
        Value::Number(number) => number_to(*number),
        Value::String(text) => Scalar::Text(text.to_string()),
    };
    proto::Value { value: Some(value) }
}

fn bound_to(bound: &Bound) -> proto::Value {
    let value = match bound {
        Bound::Number(number) => number_to(*number),
        Bound::Time { text, .. } => Scalar::Text(text.to_string()),
    };
    proto::Value { value: Some(value) }
}

/// The one form that is exact.
fn number_to(number: Number) -> Scalar {
    let fraction = number.to_f64();
    let whole = fraction as i64;
    if Number::from(whole) == number {
        return Scalar::Whole(whole);
    }
    let text = number.to_string();
    if let Ok(whole) = text.parse() {
        Scalar::Whole(whole)
    } else if let Ok(large) = text.parse() {
        Scalar::Large(large)
    } else {
        Scalar::Fraction(fraction)
    }
}

/// The filter of a request, if it has one.
pub(super) fn from_message(message: Option<&proto::Filter>) -> Result<Option<Filter>> {
    message
        .map(filter_from)
        .transpose()
        .map_err(|error| error.in_field("filter"))
}

fn filter_from(message: &proto::Filter) -> Result<Filter> {
    match &message.filter {
        Some(Kind::All(members)) => Ok(Filter::All(group_from(members)?)),
        Some(Kind::Any(members)) => Ok(Filter::Any(group_from(members)?)),
        Some(Kind::Not(inner)) => Ok(Filter::Not(Box::new(filter_from(inner)?))),
        Some(Kind::Condition(condition)) => condition_from(condition).map(Filter::Condition),
        Some(Kind::Text(text)) => Filter::parse(text),
        None => Err(Error::invalid(
            "a filter is empty; give all, any, not, a condition or a text",
        )),
    }
}

fn group_from(members: &proto::Filters) -> Result<Vec<Filter>> {
    members.filters.iter().map(filter_from).collect()
}

fn condition_from(message: &proto::Condition) -> Result<Condition> {
    let test = match &message.test {
        Some(TestMessage::Eq(value)) => Test::Eq(value_from(value)?),
        Some(TestMessage::In(values)) => {
            let values: Result<_> = values.values.iter().map(value_from).collect();
            Test::In(values?)
        }
        Some(TestMessage::Range(range)) => Test::Range(Range {
            gt: range.gt.as_ref().map(bound_from).transpose()?,
            gte: range.gte.as_ref().map(bound_from).transpose()?,
            lt: range.lt.as_ref().map(bound_from).transpose()?,
            lte: range.lte.as_ref().map(bound_from).transpose()?,
        }),
        Some(TestMessage::Exists(_)) => Test::Exists,
        Some(TestMessage::Prefix(text)) => Test::Prefix(text.clone()),
        None => {
            return Err(Error::invalid(
                "a condition has no test; give eq, in, range, exists or prefix",
            ));
        }
    };
    Ok(Condition {
        field: message.field.clone(),
        test,
    })
}

fn value_from(message: &proto::Value) -> Result<Value> {
    match &message.value {
        Some(Scalar::Boolean(flag)) => Ok(Value::Bool(*flag)),
        Some(Scalar::Whole(number)) => Ok(Value::from(*number)),
        Some(Scalar::Large(number)) => Ok(Value::from(*number)),
        Some(Scalar::Fraction(number)) => fraction_from(*number).map(Value::Number),
        Some(Scalar::Text(text)) => Ok(Value::from(text.as_str())),
        None => Err(Error::invalid("a value of a condition is empty")),
    }
}

fn bound_from(message: &proto::Value) -> Result<Bound> {
    match &message.value {
        Some(Scalar::Whole(number)) => Ok(Bound::from(*number)),
        Some(Scalar::Large(number)) => Ok(Bound::from(*number)),
        Some(Scalar::Fraction(number)) => fraction_from(*number).map(Bound::Number),
        Some(Scalar::Text(text)) => Bound::time(text),
        Some(Scalar::Boolean(_)) | None => Err(Error::invalid(
            "a bound is neither a number nor a time as text",
        )),
    }
}

fn fraction_from(number: f64) -> Result<Number> {
    Number::from_f64(number).ok_or_else(|| Error::invalid("a number of the filter is not finite"))
}
