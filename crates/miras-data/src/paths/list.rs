use std::{fmt, io};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

use super::absolute;

/// One path or a list of them; written in a configuration as a string or a list of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(Vec<String>);

impl Paths {
    /// The paths in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The same with every relative path as it is from the working directory.
    pub(crate) fn absolute(&self) -> io::Result<Self> {
        self.iter()
            .map(absolute)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// True if there is no path or one without a letter.
    pub(crate) fn is_blank(&self) -> bool {
        self.0.is_empty() || self.iter().any(|path| path.trim().is_empty())
    }
}

impl From<&str> for Paths {
    fn from(path: &str) -> Self {
        Self(vec![path.to_owned()])
    }
}

impl<const N: usize> From<[&str; N]> for Paths {
    fn from(paths: [&str; N]) -> Self {
        Self(paths.map(str::to_owned).to_vec())
    }
}

impl From<Vec<String>> for Paths {
    fn from(paths: Vec<String>) -> Self {
        Self(paths)
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl Serialize for Paths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [] => serializer.serialize_str(""),
            [path] => serializer.serialize_str(path),
            paths => paths.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Paths {
    // By hand, because the error of an untagged enum does not say what was expected.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathsVisitor)
    }
}

struct PathsVisitor;

impl<'de> Visitor<'de> for PathsVisitor {
    type Value = Paths;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path or a list of paths")
    }

    fn visit_str<E>(self, path: &str) -> Result<Paths, E> {
        Ok(match path {
            "" => Paths::default(),
            path => path.into(),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Paths, A::Error> {
        let mut paths = Vec::new();
        while let Some(path) = list.next_element()? {
            paths.push(path);
        }
        Ok(Paths(paths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Table {
        path: Paths,
    }

    #[test]
    fn a_string_and_a_list_are_read_and_written_back() {
        for text in [
            "path = \"a.txt\"\n",
            "path = [\"a.txt\", \"b\"]\n",
            "path = \"\"\n",
        ] {
            let table: Table = toml::from_str(text).unwrap();
            assert_eq!(toml::to_string(&table).unwrap(), text);
        }
    }

    #[test]
    fn another_type_is_refused_with_what_is_expected() {
        let error = toml::from_str::<Table>("path = 3").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("expected a path or a list of paths"),
            "{error}"
        );
    }
}
