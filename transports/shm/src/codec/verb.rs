//! The number of each verb on this wire.

/// The verbs by number, from 1 on. A verb keeps its number.
const VERBS: [&str; 14] = [
    "create_collection",
    "drop_collection",
    "list_collections",
    "describe_collection",
    "upsert",
    "get",
    "delete",
    "update_metadata",
    "search",
    "scan",
    "count",
    "flush",
    "compact",
    "snapshot",
];

/// The number of a verb; 0 for what is none.
pub fn verb_code(verb: &str) -> u8 {
    let place = VERBS.iter().position(|name| *name == verb);
    place
        .and_then(|place| u8::try_from(place + 1).ok())
        .unwrap_or(0)
}

/// The verb of a number.
pub fn verb_name(code: u8) -> Option<&'static str> {
    VERBS.get(usize::from(code).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_of_the_model_has_a_number() {
        for verb in nearfield_model::Request::VERBS {
            assert_eq!(verb_name(verb_code(verb)), Some(*verb));
        }
        assert_eq!(verb_name(0), None);
        assert_eq!(verb_name(VERBS.len() as u8 + 1), None);
    }
}
