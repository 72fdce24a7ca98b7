//! The one table of what is served where.

use hyper::Method;
use nearfield_model::Rights;

/// What a route leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A verb of the model, whose body and answer are its own.
    Verb(&'static str),
    /// Whether the process lives.
    Health,
    /// Whether the store is open.
    Ready,
    /// Counters and gauges, for Prometheus.
    Metrics,
    /// The description of all this, for programs.
    OpenApi,
    /// The same, for people.
    Reference,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// `{collection}` stands for a name.
    pub(crate) path: &'static str,
    pub(crate) target: Target,
    /// The right that it takes; none where anybody may.
    pub(crate) right: Option<Rights>,
    /// The status of success.
    pub(crate) status: u16,
    pub(crate) summary: &'static str,
}

const fn verb(
    status: u16,
    method: Method,
    path: &'static str,
    verb: &'static str,
    right: Rights,
    summary: &'static str,
) -> Route {
    Route {
        method,
        path,
        target: Target::Verb(verb),
        right: Some(right),
        status,
        summary,
    }
}

const fn page(
    path: &'static str,
    target: Target,
    right: Option<Rights>,
    summary: &'static str,
) -> Route {
    Route {
        method: Method::GET,
        path,
        target,
        right,
        status: 200,
        summary,
    }
}

/// The table.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    verb(201, Method::PUT, "/v1/collections/{collection}", "create_collection", Rights::Admin, "Make a collection"),
    verb(200, Method::GET, "/v1/collections/{collection}", "describe_collection", Rights::Read, "Tell a collection's schema and state"),
    verb(200, Method::DELETE, "/v1/collections/{collection}", "drop_collection", Rights::Admin, "Remove a collection and all its points"),
    verb(200, Method::GET, "/v1/collections", "list_collections", Rights::Read, "Name the collections"),
    verb(200, Method::POST, "/v1/collections/{collection}/upsert", "upsert", Rights::Write, "Write points"),
    verb(200, Method::POST, "/v1/collections/{collection}/get", "get", Rights::Read, "Read points by id"),
    verb(200, Method::POST, "/v1/collections/{collection}/delete", "delete", Rights::Write, "Remove points by id or filter"),
    verb(200, Method::POST, "/v1/collections/{collection}/update_metadata", "update_metadata", Rights::Write, "Merge a patch into the metadata of points"),
    verb(200, Method::POST, "/v1/collections/{collection}/search", "search", Rights::Read, "Find the points nearest to one or many vectors"),
    verb(200, Method::POST, "/v1/collections/{collection}/scan", "scan", Rights::Read, "Read all points, page by page"),
    verb(200, Method::POST, "/v1/collections/{collection}/count", "count", Rights::Read, "Count points"),
    verb(200, Method::POST, "/v1/collections/{collection}/flush", "flush", Rights::Write, "Make all acknowledged writes durable"),
    verb(200, Method::POST, "/v1/collections/{collection}/compact", "compact", Rights::Admin, "Give back the space of removed points"),
    verb(200, Method::POST, "/v1/collections/{collection}/snapshot", "snapshot", Rights::Admin, "Copy a consistent view of a collection"),
    page("/healthz", Target::Health, None, "Whether the process lives"),
    page("/readyz", Target::Ready, None, "Whether the store is open"),
    page("/metrics", Target::Metrics, Some(Rights::Read), "Counters and gauges for Prometheus"),
    page("/openapi.json", Target::OpenApi, None, "This table as an OpenAPI document"),
    page("/", Target::Reference, None, "This table as a page"),
    page("/docs", Target::Reference, None, "This table as a page"),
];

/// What a method and a path lead to.
#[derive(Debug)]
pub(crate) enum Found<'p> {
    /// A route, and the name that stands for `{collection}`, empty where there is none.
    Route(&'static Route, &'p str),
    /// A path that takes these methods only.
    Methods(Vec<&'static Method>),
    /// Nothing.
    Nothing,
}

/// Looks a path up.
pub(crate) fn find<'p>(method: &Method, path: &'p str) -> Found<'p> {
    // A HEAD is a GET whose body stays behind.
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut methods = Vec::new();
    for route in ROUTES {
        match capture(route.path, path) {
            Some(name) if route.method == *method => return Found::Route(route, name),
            Some(_) => methods.push(&route.method),
            None => {}
        }
    }
    match methods.is_empty() {
        true => Found::Nothing,
        false => Found::Methods(methods),
    }
}

/// The part of `path` that stands for `{collection}`, if the path fits.
fn capture<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    let Some((before, after)) = pattern.split_once("{collection}") else {
        return (pattern == path).then_some("");
    };
    let name = path.strip_prefix(before)?.strip_suffix(after)?;
    // No name at all is for the model to refuse, as any name that breaks its rules.
    (!name.contains('/')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearfield_model::Request;

    #[test]
    fn every_verb_has_one_route() {
        for verb in Request::VERBS {
            let routes = ROUTES
                .iter()
                .filter(|route| route.target == Target::Verb(verb));
            assert_eq!(routes.count(), 1, "{verb}");
        }
    }

    #[test]
    fn names_are_single_segments() {
        assert!(matches!(
            find(&Method::POST, "/v1/collections/docs/search"),
            Found::Route(
                Route {
                    target: Target::Verb("search"),
                    ..
                },
                "docs"
            )
        ));
        for path in ["/v1/collections/a/b/search", "/v1", ""] {
            assert!(
                matches!(find(&Method::POST, path), Found::Nothing),
                "{path}"
            );
        }
        assert!(matches!(
            find(&Method::PATCH, "/v1/collections/a"),
            Found::Methods(_)
        ));
    }
}
