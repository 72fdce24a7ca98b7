//! JSON text to MessagePack, without a tree of values between them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::write;

/// Appends a JSON value. Numbers are whole within -2^63 to 2^64 - 1, otherwise `f64`.
pub(super) fn append_json(text: &str, to: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    Append(to).deserialize(&mut json)?;
    json.end()
}

struct Append<'t>(&'t mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Append<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Append<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        write::nil(self.0);
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        write::bool(flag, self.0);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        write::u64(number, self.0);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        write::i64(number, self.0);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        write::f64(number, self.0);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        write::text(text, self.0);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let start = self.0.len();
        let mut count = 0;
        while elements.next_element_seed(Append(self.0))?.is_some() {
            count += 1;
        }
        insert_head(self.0, start, |head| write::array(count, head));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let start = self.0.len();
        let mut count = 0;
        while members.next_key_seed(Append(self.0))?.is_some() {
            members.next_value_seed(Append(self.0))?;
            count += 1;
        }
        insert_head(self.0, start, |head| write::map(count, head));
        Ok(())
    }
}

/// Puts a head before what was written since `start`.
fn insert_head(to: &mut Vec<u8>, start: usize, write: impl FnOnce(&mut Vec<u8>)) {
    let end = to.len();
    write(to);
    let head = to.len() - end;
    to[start..].rotate_right(head);
}
