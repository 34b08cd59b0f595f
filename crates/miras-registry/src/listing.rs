//! The keys of all parts.

use std::collections::{BTreeMap, BTreeSet};

use miras_core::Axis;

use crate::Registry;

impl Registry {
    /// The keys that `kind` lacks and other parts of its axis have, each with the choices that
    /// have it, as `retention.kind = "l2"`.
    pub(crate) fn keys_of_others(&self, axis: Axis, kind: &str) -> BTreeMap<&'static str, String> {
        let (own, others): (Vec<_>, Vec<_>) =
            (self.parts(axis).into_iter()).partition(|part| part.kind == kind);
        let own: Vec<_> = own.iter().flat_map(|part| part.keys).collect();
        let is_own = |name: &str| own.iter().any(|(key, _)| *key == name);
        let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for part in others {
            for (key, _) in part.keys.iter().filter(|(key, _)| !is_own(key)) {
                kinds
                    .entry(key)
                    .or_default()
                    .push(format!("{:?}", part.kind));
            }
        }
        let choices =
            |kinds: Vec<String>| format!("{}.kind = {}", axis.table(), kinds.join(" or "));
        (kinds.into_iter())
            .map(|(key, kinds)| (key, choices(kinds)))
            .collect()
    }

    /// Every key of every part, as a path.
    pub fn key_paths(&self) -> Vec<String> {
        let of_axis = |axis: Axis| {
            let parts = self.parts(axis);
            let own = parts.iter().flat_map(|part| part.keys);
            let names: BTreeSet<&str> =
                (own.chain(self.common_keys(axis)).map(|(key, _)| *key)).collect();
            let path = |key| format!("{}.{key}", axis.table());
            names.into_iter().map(path).collect::<Vec<_>>()
        };
        Axis::ALL.map(of_axis).concat()
    }

    /// The keys that every part of an axis has beside `kind`.
    pub fn common_keys(&self, axis: Axis) -> &[(&'static str, &'static str)] {
        match axis {
            Axis::Memory => &[
                (
                    "dim",
                    "width of each head's keys and values; default model.dim / mixer.heads",
                ),
                ("value_dim", "width of each head's values; default dim"),
                (
                    "start",
                    "\"learned\" initial weights (default), or \"zero\" (a matrix, a vector, or learn = \"last\")",
                ),
                (
                    "learn",
                    "which maps are written: \"all\" (default), or the \"last\" one alone, whose inputs are then features of length 1 that the outer loop learns; without a norm behind that map the exact form is there for it",
                ),
            ],
            Axis::Bias => &[(
                "target",
                "whose value is written under the key of a token: that of the \"same\" token (default), or of the \"next\", so that what is read with a token's query is what came behind tokens like it",
            )],
            Axis::Algorithm => &self.algorithm_keys,
            Axis::Retention => &[],
        }
    }
}
