//! The normal form: one tree for filters that differ only in how they were grouped.

use std::ops::Not;

use super::Filter;

impl Filter {
    /// All of `filters` hold. A group of one is its member, and a member that is itself an
    /// `All` gives its members, so the result is in normal form if the members are.
    pub fn all(filters: impl IntoIterator<Item = Filter>) -> Self {
        let mut members = Vec::new();
        for filter in filters {
            match filter {
                Filter::All(inner) => members.extend(inner),
                other => members.push(other),
            }
        }
        single(members).unwrap_or_else(Filter::All)
    }

    /// At least one of `filters` holds. Groups as [`all`](Self::all) does.
    pub fn any(filters: impl IntoIterator<Item = Filter>) -> Self {
        let mut members = Vec::new();
        for filter in filters {
            match filter {
                Filter::Any(inner) => members.extend(inner),
                other => members.push(other),
            }
        }
        single(members).unwrap_or_else(Filter::Any)
    }

    /// The same filter in normal form, which every parsed filter is in:
    ///
    /// - no `All` stands directly in an `All`, and no `Any` in an `Any`;
    /// - an `All` or `Any` has two members or more, or, as "every point" and "no point", none;
    /// - no `Not` stands directly around a `Not`, or around "every point" or "no point".
    ///
    /// Order is kept, and conditions stay as they are: `!=` is a `Not` around
    /// [`Test::Eq`](super::Test::Eq).
    pub fn normalized(self) -> Self {
        match self {
            Filter::All(members) => Filter::all(members.into_iter().map(Filter::normalized)),
            Filter::Any(members) => Filter::any(members.into_iter().map(Filter::normalized)),
            Filter::Not(inner) => !inner.normalized(),
            Filter::Condition(condition) => Filter::Condition(condition),
        }
    }
}

/// The only member, or the members.
fn single(mut members: Vec<Filter>) -> Result<Filter, Vec<Filter>> {
    match members.pop() {
        Some(member) if members.is_empty() => Ok(member),
        Some(member) => {
            members.push(member);
            Err(members)
        }
        None => Err(members),
    }
}

/// `!filter` matches what `filter` does not.
impl Not for Filter {
    type Output = Filter;

    fn not(self) -> Filter {
        match self {
            Filter::Not(inner) => *inner,
            Filter::All(members) if members.is_empty() => Filter::Any(members),
            Filter::Any(members) if members.is_empty() => Filter::All(members),
            other => Filter::Not(Box::new(other)),
        }
    }
}
