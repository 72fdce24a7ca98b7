//! Python's objects as JSON text, and JSON text as Python's objects.

use nearfield::limits::METADATA_DEPTH_MAX;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Appends an object as JSON.
///
/// # Errors
/// `TypeError` and `ValueError`, with the reason alone.
pub(crate) fn write(object: &Bound<'_, PyAny>, text: &mut String) -> PyResult<()> {
    write_at(object, text, 0)
}

fn write_at(object: &Bound<'_, PyAny>, text: &mut String, depth: usize) -> PyResult<()> {
    if let Ok(string) = object.cast_exact::<PyString>() {
        write_text(string.to_str()?, text)
    } else if let Ok(flag) = object.cast_exact::<PyBool>() {
        text.push_str(if flag.is_true() { "true" } else { "false" });
        Ok(())
    } else if let Ok(number) = object.cast_exact::<PyInt>() {
        write_integer(number, text)
    } else if let Ok(number) = object.cast_exact::<PyFloat>() {
        write_float(number.value(), text)
    } else if object.is_none() {
        text.push_str("null");
        Ok(())
    } else if depth > METADATA_DEPTH_MAX {
        Err(PyValueError::new_err(format!(
            "it nests deeper than {METADATA_DEPTH_MAX}"
        )))
    } else if let Ok(dict) = object.cast::<PyDict>() {
        write_members(dict.iter().map(Ok), text, depth)
    } else if let Ok(list) = object.cast::<PyList>() {
        write_elements(list.iter(), text, depth)
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        write_elements(tuple.iter(), text, depth)
    } else {
        write_other(object, text, depth)
    }
}

fn write_other(object: &Bound<'_, PyAny>, text: &mut String, depth: usize) -> PyResult<()> {
    if let Ok(string) = object.cast::<PyString>() {
        return write_text(string.to_str()?, text);
    }
    if let Ok(number) = object.cast::<PyInt>() {
        return write_integer(number, text);
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return write_float(number.value(), text);
    }
    if let Ok(mapping) = object.cast::<PyMapping>() {
        let members = mapping.items()?;
        return write_members(members.iter().map(|member| member.extract()), text, depth);
    }
    // Times say themselves as RFC 3339 texts, and NumPy's scalars and arrays as Python's objects.
    for (method, is_text) in [("isoformat", true), ("tolist", false)] {
        if object.hasattr(method)? {
            let said = object.call_method0(method)?;
            return match is_text {
                true => write_text(said.cast::<PyString>()?.to_str()?, text),
                false => write_at(&said, text, depth + 1),
            };
        }
    }
    if &*object.get_type().fully_qualified_name()?.to_string() == "uuid.UUID" {
        return write_text(object.str()?.to_str()?, text);
    }
    Err(PyTypeError::new_err(format!(
        "{} has no form in JSON",
        object.get_type().name()?
    )))
}

fn write_members<'py>(
    members: impl Iterator<Item = PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)>>,
    text: &mut String,
    depth: usize,
) -> PyResult<()> {
    text.push('{');
    for (position, member) in members.enumerate() {
        let (name, value) = member?;
        if position > 0 {
            text.push(',');
        }
        let Ok(name) = name.cast::<PyString>() else {
            return Err(PyTypeError::new_err(format!(
                "the name of a member is {}; names are texts",
                name.get_type().name()?
            )));
        };
        write_text(name.to_str()?, text)?;
        text.push(':');
        write_at(&value, text, depth + 1)?;
    }
    text.push('}');
    Ok(())
}

fn write_elements<'py>(
    elements: impl Iterator<Item = Bound<'py, PyAny>>,
    text: &mut String,
    depth: usize,
) -> PyResult<()> {
    text.push('[');
    for (position, element) in elements.enumerate() {
        if position > 0 {
            text.push(',');
        }
        write_at(&element, text, depth + 1)?;
    }
    text.push(']');
    Ok(())
}

fn write_integer(number: &Bound<'_, PyInt>, text: &mut String) -> PyResult<()> {
    if let Ok(number) = number.extract::<i64>() {
        text.push_str(itoa::Buffer::new().format(number));
    } else {
        text.push_str(number.str()?.to_str()?);
    }
    Ok(())
}

fn write_float(number: f64, text: &mut String) -> PyResult<()> {
    if !number.is_finite() {
        return Err(PyValueError::new_err(format!(
            "{number} has no form in JSON"
        )));
    }
    text.push_str(zmij::Buffer::new().format_finite(number));
    Ok(())
}

fn write_text(string: &str, text: &mut String) -> PyResult<()> {
    let quoted = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if !string.bytes().any(quoted) {
        text.push('"');
        text.push_str(string);
        text.push('"');
        return Ok(());
    }
    let quoted =
        serde_json::to_string(string).map_err(|error| PyValueError::new_err(error.to_string()))?;
    text.push_str(&quoted);
    Ok(())
}

/// The object that a JSON text says.
pub(crate) fn read<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Node(py)
        .deserialize(&mut deserializer)
        .map_err(|error| PyValueError::new_err(format!("metadata cannot be read: {error}")))
}

#[derive(Clone, Copy)]
struct Node<'py>(Python<'py>);

impl<'py> Node<'py> {
    fn object<E: serde::de::Error>(
        self,
        value: impl IntoPyObjectExt<'py>,
    ) -> Result<Bound<'py, PyAny>, E> {
        value.into_bound_py_any(self.0).map_err(E::custom)
    }
}

impl<'de, 'py> DeserializeSeed<'de> for Node<'py> {
    type Value = Bound<'py, PyAny>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for Node<'py> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Self::Value, E> {
        self.object(flag)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.object(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.object(number)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
        self.object(number)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.object(text)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(self.0.None().into_bound(self.0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let list = PyList::empty(self.0);
        while let Some(element) = elements.next_element_seed(self)? {
            list.append(element).map_err(A::Error::custom)?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let dict = PyDict::new(self.0);
        while let Some(name) = members.next_key_seed(self)? {
            let value = members.next_value_seed(self)?;
            dict.set_item(name, value).map_err(A::Error::custom)?;
        }
        Ok(dict.into_any())
    }
}
