//! Names that papers and other programs use for parts.

use miras_core::Axis;

/// Axis, name, and our part.
const SAME: &[(Axis, &str, &str)] = &[
    (Axis::Memory, "linear", "matrix"),
    (Axis::Memory, "fast_weights", "matrix"),
    (Axis::Memory, "ttt_linear", "matrix"),
    (Axis::Memory, "ttt_mlp", "mlp"),
    (Axis::Memory, "neural", "mlp"),
    (Axis::Memory, "deep", "mlp"),
    (Axis::Memory, "swiglu", "gated_mlp"),
    (Axis::Memory, "glu", "gated_mlp"),
    (Axis::Memory, "cnn", "conv"),
    (Axis::Memory, "convolution", "conv"),
    (Axis::Bias, "mse", "l2"),
    (Axis::Bias, "squared", "l2"),
    (Axis::Bias, "delta", "l2"),
    (Axis::Bias, "mae", "l1"),
    (Axis::Bias, "abs", "l1"),
    (Axis::Bias, "logcosh", "l1"),
    (Axis::Bias, "log_cosh", "l1"),
    (Axis::Bias, "svr", "epsilon_insensitive"),
    (Axis::Bias, "insensitive", "epsilon_insensitive"),
    (Axis::Bias, "smooth_l1", "huber"),
    (Axis::Bias, "dot_product", "dot"),
    (Axis::Bias, "inner_product", "dot"),
    (Axis::Bias, "hebbian", "dot"),
    (Axis::Bias, "kl_divergence", "kl"),
    (Axis::Retention, "decay", "l2"),
    (Axis::Retention, "weight_decay", "l2"),
    (Axis::Retention, "forget", "l2"),
    (Axis::Retention, "softmax", "kl"),
    (Axis::Retention, "bregman", "sigmoid"),
    (Axis::Retention, "logit", "sigmoid"),
    (Axis::Retention, "projection", "ball"),
    (Axis::Retention, "chi_squared", "f_divergence"),
    (Axis::Retention, "l1", "elastic_net"),
    (Axis::Retention, "off", "none"),
    (Axis::Retention, "dp", "private"),
    (Axis::Retention, "noise", "private"),
    (Axis::Algorithm, "sgd", "gd"),
    (Axis::Algorithm, "gradient_descent", "gd"),
    (Axis::Algorithm, "heavy_ball", "momentum"),
    (Axis::Algorithm, "nag", "nesterov"),
    (Axis::Algorithm, "rms_prop", "rmsprop"),
    (Axis::Algorithm, "omeganet", "omega"),
    (Axis::Algorithm, "mesa", "newton"),
    (Axis::Algorithm, "rls", "newton"),
    (Axis::Algorithm, "least_squares", "newton"),
    (Axis::Algorithm, "newton_schulz", "muon"),
];

/// Axis, name of a part that does not exist here, and the nearest one that does.
const ABSENT: &[(Axis, &str, &str)] = &[
    (Axis::Algorithm, "adamw", "adam"),
    (Axis::Algorithm, "adagrad", "rmsprop"),
];

/// The help for a name that no part of the axis has.
pub(crate) fn help(axis: Axis, name: &str) -> Option<String> {
    let name = name.to_lowercase().replace('-', "_");
    let named = |list: &[(Axis, &str, &'static str)]| {
        let mut list = list.iter();
        list.find(|(known, other, _)| *known == axis && *other == name)
            .map(|(.., kind)| *kind)
    };
    let table = axis.table();
    if let Some(kind) = named(SAME) {
        return Some(format!(
            "`{name}` is called `{kind}` here: {table}.kind = {kind:?}"
        ));
    }
    named(ABSENT)
        .map(|kind| format!("there is no `{name}` here; the nearest is {table}.kind = {kind:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    #[test]
    fn every_name_leads_to_a_part_and_is_not_one_itself() {
        let registry = Registry::builtin();
        for (axis, name, kind) in SAME.iter().chain(ABSENT) {
            assert!(registry.find(*axis, kind).is_some(), "{kind}");
            assert!(registry.find(*axis, name).is_none(), "{name}");
            assert!(help(*axis, name).is_some_and(|help| help.contains(kind)));
        }
        assert_eq!(help(Axis::Bias, "matrx"), None);
    }
}
