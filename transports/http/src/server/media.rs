//! What the two sides speak: media types and encodings.

use hyper::HeaderMap;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue,
};
use nearfield_model::codec::MetadataAs;
use nearfield_model::{Error, ErrorKind, Result};

use crate::body::Format;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Zstd,
}

impl Coding {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
        }
    }
}

/// How the request's body is written; JSON unless said otherwise.
pub(crate) fn format_of(headers: &HeaderMap) -> Result<Format> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(Format::Json);
    };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    named(essence).ok_or_else(|| {
        let essence: String = essence.chars().take(80).collect();
        Error::new(
            ErrorKind::Unsupported,
            format!("bodies of type {essence:?} are not read; send application/json or application/msgpack"),
        )
        .in_field("content-type")
    })
}

fn named(essence: &str) -> Option<Format> {
    const NAMES: [(&str, Format); 3] = [
        ("application/json", Format::Json),
        ("application/msgpack", Format::MessagePack),
        ("application/x-msgpack", Format::MessagePack),
    ];
    NAMES
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(essence))
        .map(|(_, format)| format)
}

/// How the answer is to be written: what is accepted most, JSON among equals.
pub(crate) fn answer_format(headers: &HeaderMap) -> Result<Format> {
    let mut quality = [0.0_f32; 2];
    let mut asked = false;
    for (range, weight) in preferences(headers, &ACCEPT) {
        asked = true;
        let formats: &[usize] = match (range, named(range)) {
            (_, Some(Format::Json)) | ("application/problem+json", _) => &[0],
            (_, Some(Format::MessagePack)) => &[1],
            ("*/*" | "application/*", _) => &[0, 1],
            _ => &[],
        };
        for &format in formats {
            quality[format] = quality[format].max(weight);
        }
    }
    match quality {
        _ if !asked => Ok(Format::Json),
        [json, pack] if pack > json => Ok(Format::MessagePack),
        [json, _] if json > 0.0 => Ok(Format::Json),
        _ => Err(Error::new(
            ErrorKind::Unsupported,
            "none of the accepted types is written; accept application/json or application/msgpack",
        )
        .in_field("accept")),
    }
}

/// How metadata is to stand in an answer of MessagePack: `application/msgpack;metadata=json` asks
/// for text.
pub(crate) fn answer_metadata(headers: &HeaderMap) -> MetadataAs {
    let asks = |value: &HeaderValue| {
        let mut parts = value.as_bytes().split(|byte| matches!(byte, b';' | b','));
        parts.any(|part| part.trim_ascii().eq_ignore_ascii_case(b"metadata=json"))
    };
    match headers.get_all(ACCEPT).iter().any(asks) {
        true => MetadataAs::Json,
        false => MetadataAs::Map,
    }
}

/// How the request's body is compressed.
pub(crate) fn coding_of(headers: &HeaderMap) -> Result<Option<Coding>> {
    let Some(value) = headers.get(CONTENT_ENCODING) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    match text.to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Coding::Gzip)),
        "zstd" => Ok(Some(Coding::Zstd)),
        other => {
            let other: String = other.chars().take(80).collect();
            Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "bodies encoded with {other:?} are not read; send gzip, zstd or plain ones"
                ),
            )
            .in_field("content-encoding"))
        }
    }
}

/// How the answer may be compressed.
pub(crate) fn answer_coding(headers: &HeaderMap) -> Option<Coding> {
    let mut quality = [0.0_f32; 2];
    for (name, weight) in preferences(headers, &ACCEPT_ENCODING) {
        match name {
            "zstd" => quality[0] = weight,
            "gzip" | "x-gzip" => quality[1] = weight,
            _ => {}
        }
    }
    match quality {
        [zstd, gzip] if zstd > 0.0 && zstd >= gzip => Some(Coding::Zstd),
        [_, gzip] if gzip > 0.0 => Some(Coding::Gzip),
        _ => None,
    }
}

/// What a header lists, each with its weight.
fn preferences<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (&'h str, f32)> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|part| {
            let mut parameters = part.split(';');
            let name = parameters.next()?.trim();
            let weight = parameters
                .filter_map(|parameter| parameter.trim().strip_prefix("q="))
                .find_map(|weight| weight.trim().parse().ok())
                .unwrap_or(1.0);
            (!name.is_empty()).then_some((name, weight))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_answer_is_what_is_accepted_most() {
        for (accept, format) in [
            ("*/*", Format::Json),
            ("application/msgpack", Format::MessagePack),
            (
                "application/msgpack, application/json;q=0.5",
                Format::MessagePack,
            ),
            ("application/json, application/msgpack", Format::Json),
            ("text/html, application/*;q=0.1", Format::Json),
            ("application/problem+json", Format::Json),
        ] {
            assert_eq!(
                answer_format(&headers(ACCEPT, accept)),
                Ok(format),
                "{accept}"
            );
        }
        for accept in ["text/html", "application/json;q=0"] {
            assert!(answer_format(&headers(ACCEPT, accept)).is_err(), "{accept}");
        }
        assert_eq!(answer_format(&HeaderMap::new()), Ok(Format::Json));
    }

    #[test]
    fn metadata_is_text_for_those_who_ask() {
        for (accept, metadata) in [
            ("application/msgpack", MetadataAs::Map),
            ("application/msgpack;metadata=json", MetadataAs::Json),
            (
                "application/msgpack; q=1; metadata=json, */*;q=0.1",
                MetadataAs::Json,
            ),
            ("application/msgpack;metadata=xml", MetadataAs::Map),
        ] {
            let headers = headers(ACCEPT, accept);
            assert_eq!(answer_metadata(&headers), metadata, "{accept}");
            assert_eq!(answer_format(&headers), Ok(Format::MessagePack), "{accept}");
        }
    }

    #[test]
    fn encodings_are_chosen_by_weight() {
        for (accept, coding) in [
            ("gzip, deflate", Some(Coding::Gzip)),
            ("gzip, zstd", Some(Coding::Zstd)),
            ("gzip, zstd;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("br", None),
        ] {
            let headers = headers(ACCEPT_ENCODING, accept);
            assert_eq!(answer_coding(&headers), coding, "{accept}");
        }
    }
}
