//! The table of routes, the bodies and the errors as a page for people: self-contained, without
//! scripts.

use std::fmt::Write as _;

use nearfield_model::ErrorKind;
use serde_json::Value;

use super::openapi;
use super::problem::status;
use super::routes::{ROUTES, Target};

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>Nearfield</title><style>\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
code,pre{font:14px/1.5 ui-monospace,monospace;background:#f3f4f6;border-radius:4px;padding:.1em .3em}\
pre{padding:.8em;overflow-x:auto}td,th{text-align:left;padding:.25em .8em .25em 0;vertical-align:top}\
table{border-collapse:collapse;width:100%}tr{border-top:1px solid #ddd}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}code,pre{background:#262626}tr{border-color:#333}a{color:#8ab4f8}}\
</style>";

const START: &str = "<h1>Nearfield</h1><p>Vectors with ids and metadata, and what is nearest. \
This page is made from the same table as <a href=\"/openapi.json\">openapi.json</a>. Bodies are \
JSON, or MessagePack of the same shape (<code>application/msgpack</code>).</p><pre>\
curl -X PUT localhost:6327/v1/collections/docs -H 'content-type: application/json' \\\n     \
-d '{\"dimension\": 3}'\n\
curl localhost:6327/v1/collections/docs/upsert -H 'content-type: application/json' \\\n     \
-d '{\"ids\": [1, \"a-7\"], \"vectors\": [[1, 0, 0], [0, 1, 0]], \"metadata\": [{\"year\": 1961}, null]}'\n\
curl localhost:6327/v1/collections/docs/search -H 'content-type: application/json' \\\n     \
-d '{\"vectors\": [0.9, 0.1, 0], \"limit\": 1, \"filter\": \"year &gt;= 1960\"}'</pre>";

/// The page.
pub(crate) fn html() -> String {
    let document = openapi::document(false);
    let mut page = format!("{HEAD}{START}<h2>Routes</h2><table>");
    // Writing to a string does not fail.
    for route in ROUTES {
        let fields = match route.target {
            Target::Verb(_) => {
                fields(&document["paths"][route.path][route.method.as_str().to_lowercase()])
            }
            _ => String::new(),
        };
        let right = route.right.map_or("anybody", |right| right.as_str());
        let _ = write!(
            page,
            "<tr><td><code>{} {}</code><td>{}{fields}<td>{right}",
            route.method, route.path, route.summary
        );
    }
    page += "</table><h2>Errors</h2><p>Refusals are <code>application/problem+json</code> (RFC 9457) \
        with a <code>kind</code>, and the <code>row</code> and <code>field</code> at fault.</p><table>";
    for kind in ErrorKind::ALL {
        let again = match kind.is_retryable() {
            true => "may succeed later as it is",
            false => "",
        };
        let _ = write!(
            page,
            "<tr id=\"{kind}\"><td><code>{kind}</code><td>{}<td>{again}",
            status(kind).as_u16()
        );
    }
    page + "</table></html>"
}

/// The fields of an operation's body.
fn fields(operation: &Value) -> String {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let required = schema["required"].as_array();
    let mut text = String::new();
    for name in schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys())
    {
        let needed = required.is_some_and(|required| required.iter().any(|other| other == name));
        let mark = if needed { "" } else { "?" };
        let separator = if text.is_empty() { "<br>" } else { ", " };
        let _ = write!(text, "{separator}<code>{name}{mark}</code>");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_route_and_kind() {
        let page = html();
        for route in ROUTES {
            assert!(page.contains(&format!("<code>{} {}</code>", route.method, route.path)));
        }
        for kind in ErrorKind::ALL {
            assert!(page.contains(&format!("id=\"{kind}\"")));
        }
        assert!(page.contains("<code>dimension</code>"));
        assert!(page.contains("<code>metric?</code>"));
    }
}
