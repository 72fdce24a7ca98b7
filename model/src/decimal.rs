//! `f32` as JSON numbers: rounded straight from the digits, not by way of `f64`, which may
//! round twice.

use serde_json::value::RawValue;

/// Reads a JSON number. Beyond the range of `f32` it is infinite; `None` if it is no number.
pub(crate) fn read(json: &RawValue) -> Option<f32> {
    let text = json.get();
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// A number as a field. An infinite one is written as `1e999` or `-1e999`, NaN as `null`.
pub(crate) mod one {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::value::RawValue;

    pub(crate) fn serialize<S: Serializer>(number: &f32, serializer: S) -> Result<S::Ok, S::Error> {
        if !number.is_infinite() {
            return serializer.serialize_f32(*number);
        }
        let text = if *number > 0.0 { "1e999" } else { "-1e999" };
        RawValue::from_string(text.to_owned())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        match super::read(&json) {
            Some(number) => Ok(number),
            None if json.get() == "null" => Ok(f32::NAN),
            None => Err(serde::de::Error::custom("expected a number")),
        }
    }
}

/// Numbers as a field that may be absent.
pub(crate) mod many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::value::RawValue;

    pub(crate) fn serialize<S: Serializer>(
        numbers: &Option<Vec<f32>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        numbers.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<f32>>, D::Error> {
        Option::<Vec<Box<RawValue>>>::deserialize(deserializer)?
            .map(|numbers| numbers.iter().map(|number| super::read(number)).collect())
            .map(|numbers: Option<Vec<f32>>| {
                numbers.ok_or_else(|| serde::de::Error::custom("expected a list of numbers"))
            })
            .transpose()
    }
}
