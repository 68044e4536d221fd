//! How the spec stands in YAML and JSON, where that differs from the Rust types.
//!
//! Visitors rather than untagged enums: those would lose the line and column of an error.

use std::fmt;

use hypostyle_engine::How;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{ColumnSpec, Columns, JoinSpec, Missing, RowsSpec, SpineSpec, TableSpec};

/// For `skip_serializing_if`.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One name, or a list of names.
pub(crate) mod names {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(names: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        match names {
            [name] => serializer.serialize_str(name),
            names => names.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }

    struct OneOrMany;

    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a column name or a list of column names")
        }

        fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
            Ok(vec![name.to_owned()])
        }

        // A column may be called `2024`, which YAML takes for a number.
        fn visit_u64<E: Error>(self, name: u64) -> Result<Self::Value, E> {
            Ok(vec![name.to_string()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }
}

/// A bound that keeps the spelling it has in YAML, where every scalar can be read as text.
type Spelled = String;

/// A bound from a format that tells numbers from text, such as `serde_json`'s.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;

        impl Visitor<'_> for AnyScalar {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number or a boolean")
            }

            fn visit_str<E: Error>(self, v: &str) -> Result<Scalar, E> {
                Ok(Scalar(v.to_owned()))
            }

            fn visit_bool<E: Error>(self, v: bool) -> Result<Scalar, E> {
                Ok(Scalar(v.to_string()))
            }

            fn visit_i64<E: Error>(self, v: i64) -> Result<Scalar, E> {
                Ok(Scalar(v.to_string()))
            }

            fn visit_u64<E: Error>(self, v: u64) -> Result<Scalar, E> {
                Ok(Scalar(v.to_string()))
            }

            fn visit_f64<E: Error>(self, v: f64) -> Result<Scalar, E> {
                Ok(Scalar(v.to_string()))
            }
        }
        deserializer.deserialize_any(AnyScalar)
    }
}

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> Self {
        scalar.0
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, bound = "T: Deserialize<'de>")]
struct RowsWire<T> {
    from: Option<T>,
    to: Option<T>,
    last: Option<u64>,
}

impl<T: Into<String>> From<RowsWire<T>> for RowsSpec {
    fn from(wire: RowsWire<T>) -> Self {
        Self { from: wire.from.map(Into::into), to: wire.to.map(Into::into), last: wire.last }
    }
}

/// A whole spec; `T` is how its bounds are read.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, bound = "T: Deserialize<'de>")]
struct SpecWire<T> {
    #[serde(default, with = "names")]
    key: Vec<String>,
    how: Option<How>,
    #[serde(default)]
    full_names: bool,
    spine: Option<SpineSpec>,
    #[serde(default)]
    tables: Vec<TableSpec>,
    rows: Option<RowsWire<T>>,
    as_of: Option<T>,
}

impl<T: Into<String>> From<SpecWire<T>> for JoinSpec {
    fn from(wire: SpecWire<T>) -> Self {
        let implied = if wire.spine.is_some() { How::Spine } else { How::Inner };
        Self {
            key: wire.key,
            how: wire.how.unwrap_or(implied),
            full_names: wire.full_names,
            spine: wire.spine,
            tables: wire.tables,
            rows: wire.rows.map(RowsSpec::from).unwrap_or_default(),
            as_of: wire.as_of.map(Into::into),
        }
    }
}

/// A spec out of YAML, where a bound keeps its spelling: `0012` and `1.50` stay what they are.
pub(super) struct FromYaml(pub JoinSpec);

impl<'de> Deserialize<'de> for FromYaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SpecWire::<Spelled>::deserialize(deserializer).map(|wire| Self(wire.into()))
    }
}

impl<'de> Deserialize<'de> for JoinSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SpecWire::<Scalar>::deserialize(deserializer).map(Into::into)
    }
}

impl<'de> Deserialize<'de> for RowsSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RowsWire::<Scalar>::deserialize(deserializer).map(Into::into)
    }
}

impl Serialize for Missing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Error => serializer.serialize_str("error"),
            Self::Null => serializer.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for Missing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl<'de> Visitor<'de> for Word {
            type Value = Missing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`error` or `null`")
            }

            // YAML reads a bare `null` as nothing at all.
            fn visit_unit<E: Error>(self) -> Result<Missing, E> {
                Ok(Missing::Null)
            }

            fn visit_none<E: Error>(self) -> Result<Missing, E> {
                Ok(Missing::Null)
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Missing, E> {
                match word {
                    "null" => Ok(Missing::Null),
                    "error" => Ok(Missing::Error),
                    _ => Err(E::unknown_variant(word, &["error", "null"])),
                }
            }
        }
        deserializer.deserialize_any(Word)
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = match self {
            Self::All => return serializer.serialize_str("*"),
            Self::Named(columns) => columns,
        };
        let mut names = std::collections::HashSet::new();
        let is_map = !columns.is_empty()
            && columns.iter().all(|c| c.rename.is_some() && names.insert(c.column.as_str()));
        if is_map {
            let mut map = serializer.serialize_map(Some(columns.len()))?;
            for column in columns {
                map.serialize_entry(&column.column, &column.rename)?;
            }
            map.end()
        } else {
            let mut list = serializer.serialize_seq(Some(columns.len()))?;
            for column in columns {
                match &column.rename {
                    None => list.serialize_element(&column.column)?,
                    Some(rename) => list.serialize_element(&Pair(&column.column, rename))?,
                }
            }
            list.end()
        }
    }
}

/// A map with one entry: a column and its new name.
struct Pair<'a>(&'a str, &'a str);

impl Serialize for Pair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, self.1)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of columns, a map of columns to new names, or \"*\" for all")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Columns, E> {
                match word {
                    "*" => Ok(Columns::All),
                    _ => Err(E::custom(format!("one column is a list too: [{word}]; all are \"*\""))),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Columns, A::Error> {
                let mut columns = Vec::new();
                while let Some(Item(mut more)) = list.next_element()? {
                    columns.append(&mut more);
                }
                Ok(Columns::Named(columns))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Columns, A::Error> {
                Item::deserialize(MapAccessDeserializer::new(map)).map(|item| Columns::Named(item.0))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// An item of a list of columns: a name, or a map of names to new names.
struct Item(Vec<ColumnSpec>);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrMap;

        impl<'de> Visitor<'de> for NameOrMap {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column name, or a map of a column to its new name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Item, E> {
                Ok(Item(vec![ColumnSpec { column: name.to_owned(), rename: None }]))
            }

            fn visit_u64<E: Error>(self, name: u64) -> Result<Item, E> {
                self.visit_str(&name.to_string())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let mut columns: Vec<ColumnSpec> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                while let Some((column, rename)) = map.next_entry::<String, Option<String>>()? {
                    if !seen.insert(column.clone()) {
                        return Err(A::Error::custom(format!("the column `{column}` stands twice")));
                    }
                    columns.push(ColumnSpec { column, rename });
                }
                Ok(Item(columns))
            }
        }
        deserializer.deserialize_any(NameOrMap)
    }
}
