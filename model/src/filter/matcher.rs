//! Evaluates filters on the metadata of single points: the meaning that every index keeps.

use std::borrow::Cow;

use super::{Bound, Condition, Filter, Range, Test};
use crate::metadata::visit_leaves;
use crate::value::{Time, Value, ValueRef};

impl Filter {
    /// Whether a point with this metadata, as JSON text, matches. A condition holds if one
    /// value at its path passes its test; without metadata none does.
    ///
    /// To ask about many points, prepare a [`Matcher`] once.
    pub fn matches(&self, metadata: Option<&str>) -> bool {
        Matcher::new(self).matches(metadata)
    }
}

impl Test {
    /// Whether a value passes. [`Test::Exists`] is passed by every value.
    pub fn matches(&self, value: ValueRef<'_>) -> bool {
        match self {
            Test::Eq(wanted) => wanted.as_ref() == value,
            Test::In(wanted) => wanted.iter().any(|wanted| wanted.as_ref() == value),
            Test::Range(range) => range.contains(value),
            Test::Exists => true,
            Test::Prefix(prefix) => {
                matches!(value, ValueRef::String(text) if text.starts_with(prefix.as_str()))
            }
        }
    }
}

impl Range {
    /// Whether a value is of the bounds' kind and within them.
    fn contains(&self, value: ValueRef<'_>) -> bool {
        let time = match value {
            ValueRef::String(text) => Time::parse(text),
            ValueRef::Bool(_) | ValueRef::Number(_) => None,
        };
        let order = |bound: &Bound| match (bound, value) {
            (Bound::Number(bound), ValueRef::Number(number)) => Some(number.cmp(bound)),
            (Bound::Time { time: bound, .. }, _) => time.map(|time| time.cmp(bound)),
            _ => None,
        };
        let holds = |bound: &Option<Bound>, test: fn(std::cmp::Ordering) -> bool| {
            bound
                .as_ref()
                .is_none_or(|bound| order(bound).is_some_and(test))
        };
        *self != Range::default()
            && holds(&self.gt, std::cmp::Ordering::is_gt)
            && holds(&self.gte, std::cmp::Ordering::is_ge)
            && holds(&self.lt, std::cmp::Ordering::is_lt)
            && holds(&self.lte, std::cmp::Ordering::is_le)
    }
}

/// A filter prepared for many points.
///
/// ```
/// use nearfield_model::Filter;
/// use nearfield_model::filter::Matcher;
/// let filter = Filter::parse("tags in ('live', 'mono') and not exists band")?;
/// let matcher = Matcher::new(&filter);
/// assert!(matcher.matches(Some(r#"{"tags": ["mono", "1959"]}"#)));
/// assert!(!matcher.matches(None));
/// # Ok::<(), nearfield_model::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Matcher<'f> {
    root: Node,
    leaves: Vec<Leaf<'f>>,
}

/// A filter whose conditions are numbered.
#[derive(Clone, Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Leaf(usize),
}

#[derive(Clone, Debug)]
enum Leaf<'f> {
    Condition(&'f Condition),
    /// An `in`, its values sorted.
    In(&'f str, Cow<'f, [Value]>),
}

impl<'f> Matcher<'f> {
    /// Prepares `filter`.
    pub fn new(filter: &'f Filter) -> Self {
        let mut leaves = Vec::new();
        let root = number(filter, &mut leaves);
        Matcher { root, leaves }
    }

    /// As [`Filter::matches`].
    pub fn matches(&self, metadata: Option<&str>) -> bool {
        let mut passed = vec![false; self.leaves.len()];
        if let Some(text) = metadata.filter(|_| !self.leaves.is_empty()) {
            let walk = visit_leaves(text, &mut |path, value| {
                for (leaf, passed) in self.leaves.iter().zip(&mut passed) {
                    *passed = *passed || leaf.passes(path, value);
                }
            });
            if walk.is_err() {
                return false;
            }
        }
        holds(&self.root, &passed)
    }
}

fn number<'f>(filter: &'f Filter, leaves: &mut Vec<Leaf<'f>>) -> Node {
    match filter {
        Filter::All(members) => Node::All(
            members
                .iter()
                .map(|member| number(member, leaves))
                .collect(),
        ),
        Filter::Any(members) => Node::Any(
            members
                .iter()
                .map(|member| number(member, leaves))
                .collect(),
        ),
        Filter::Not(inner) => Node::Not(Box::new(number(inner, leaves))),
        Filter::Condition(condition) => {
            leaves.push(match &condition.test {
                Test::In(values) => Leaf::In(&condition.field, sorted(values)),
                _ => Leaf::Condition(condition),
            });
            Node::Leaf(leaves.len() - 1)
        }
    }
}

fn sorted(values: &[Value]) -> Cow<'_, [Value]> {
    if values.is_sorted() {
        return Cow::Borrowed(values);
    }
    let mut values = values.to_vec();
    values.sort_unstable();
    Cow::Owned(values)
}

fn holds(node: &Node, passed: &[bool]) -> bool {
    match node {
        Node::All(members) => members.iter().all(|member| holds(member, passed)),
        Node::Any(members) => members.iter().any(|member| holds(member, passed)),
        Node::Not(inner) => !holds(inner, passed),
        Node::Leaf(leaf) => passed[*leaf],
    }
}

impl Leaf<'_> {
    fn passes(&self, path: &str, value: ValueRef<'_>) -> bool {
        match self {
            Leaf::In(field, values) => {
                path == *field
                    && values
                        .binary_search_by(|wanted| wanted.as_ref().cmp(&value))
                        .is_ok()
            }
            Leaf::Condition(Condition { field, test }) => match test {
                Test::Exists => path
                    .strip_prefix(field.as_str())
                    .is_some_and(|below| below.is_empty() || below.starts_with('.')),
                test => path == field && test.matches(value),
            },
        }
    }
}
