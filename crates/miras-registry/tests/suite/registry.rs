//! Parts that a program adds to ours.

use miras_core::{
    AttentionalBias, Axis, MemoryAlgorithm, MemoryArchitecture, Part, RetentionGate, RuleValues,
};
use miras_registry::{Choice, KindTaken, Registry};

static MEMORY: Part<dyn MemoryArchitecture> = Part {
    kind: "my_memory",
    ..miras_memory::PARTS[0]
};
static BIAS: Part<dyn AttentionalBias> = Part {
    kind: "my_bias",
    ..miras_bias::PARTS[0]
};
static RETENTION: Part<dyn RetentionGate> = Part {
    kind: "my_retention",
    ..miras_retention::PARTS[0]
};
static ALGORITHM: Part<dyn MemoryAlgorithm> = Part {
    kind: "my_algorithm",
    ..miras_algorithm::PARTS[0]
};

fn with_ours() -> Result<Registry, KindTaken> {
    Registry::builtin()
        .with_memory(&MEMORY)?
        .with_bias(&BIAS)?
        .with_retention(&RETENTION)?
        .with_algorithm(&ALGORITHM)
}

const ALL: &str = "[memory]\nkind = 'my_memory'\n[bias]\nkind = 'my_bias'\n\
    [retention]\nkind = 'my_retention'\n[algorithm]\nkind = 'my_algorithm'\n";

#[test]
fn parts_of_ones_own_are_listed_last_chosen_and_written_by_name() {
    let registry = with_ours().unwrap();
    let choice = Choice::from_toml(ALL, &registry).unwrap();
    for axis in Axis::ALL {
        let mine = format!("my_{}", axis.table());
        let mut kinds = Registry::builtin().kinds(axis);
        kinds.push(&mine);
        assert_eq!(registry.kinds(axis), kinds);
        assert_eq!(registry.find(axis, &mine).unwrap().kind, mine);
        assert_eq!(choice.kind(axis), mine);
    }
    let tables: toml::Table = (choice.tables().into_iter())
        .map(|(axis, table)| (axis.to_string(), toml::Value::Table(table)))
        .collect();
    let again = Choice::from_toml(&tables.to_string(), &registry).unwrap();
    assert_eq!(again.tables(), choice.tables());
}

/// Further keys of a step rule are there where it acts, complete, and refused where it does not.
#[test]
fn further_keys_of_step_rules_follow_the_rule() {
    let registry = Registry::builtin();
    let mut seen = 0;
    for rule in registry.step_rules() {
        for own in rule.settings {
            let table = |text: &str| {
                let text = format!("[algorithm]\n{text}");
                let choice = Choice::from_toml(&text, &registry)?;
                let (_, table) = choice.tables().pop().unwrap();
                Ok::<_, miras_config::ConfigError>(table)
            };
            assert!(!table("").unwrap().contains_key(own.key));
            let on = table(&format!("{} = 0.5", rule.key)).unwrap();
            assert_eq!(on[rule.key].as_float(), Some(0.5));
            let written = format!("{} = 0.0\n{} = {}", rule.key, own.key, on[own.key]);
            let refusal = table(&written).unwrap_err().to_string();
            let expected = format!("{} belongs to {}, which is off", own.key, rule.key);
            assert!(refusal.contains(&expected), "{refusal}");
            if let RuleValues::Number { range, .. } = own.values {
                let beyond = format!("{} = 0.5\n{} = -1.0", rule.key, own.key);
                let refusal = table(&beyond).unwrap_err().to_string();
                let expected = format!("{} must be {range}", own.key);
                assert!(refusal.contains(&expected), "{refusal}");
            }
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn other_registries_do_not_know_them() {
    let error = Choice::from_toml(ALL, &Registry::builtin()).unwrap_err();
    assert!(
        error.to_string().contains("unknown memory `my_memory`"),
        "{error}"
    );
    let error = Choice::from_toml("[bias]\nkind = 'mybias'", &with_ours().unwrap()).unwrap_err();
    assert!(
        error.to_string().contains("did you mean `my_bias`?"),
        "{error}"
    );
}

#[test]
fn a_kind_that_is_taken_is_refused_by_name() {
    let twice = with_ours().unwrap().with_retention(&RETENTION).unwrap_err();
    assert_eq!((twice.axis, twice.kind), (Axis::Retention, "my_retention"));
    let ours = Registry::builtin().with_memory(&miras_memory::PARTS[0]);
    assert_eq!(
        ours.unwrap_err().to_string(),
        "there is a memory named `matrix` already: give the part another `kind`"
    );
}

#[test]
fn text_may_hold_nothing_but_the_four_tables() {
    let registry = Registry::builtin();
    for text in ["[model]\ndim = 3", "[memory]\nkind = 'matrix'\ndepth = 2"] {
        assert!(Choice::from_toml(text, &registry).is_err(), "{text}");
    }
}

#[test]
fn sizes_that_are_refused_do_not_hide_other_mistakes() {
    for depth in ["0", "1_000_000_000"] {
        let text = format!("[memory]\nstart = 'zero'\ndepth = {depth}\n[bias]\nkind = 'none'");
        let mut layers = miras_config::Layers::new();
        layers.text("case", &text).unwrap();
        let mut tree = layers.merge().unwrap();
        let taken = tree.attempt(&["memory"], |tree| Choice::take(tree, &Registry::builtin()));
        assert!(taken.is_none());
        let error = tree.failed().to_string();
        for piece in ["depth must be from 1 to 1024", "unknown bias `none`"] {
            assert!(error.contains(piece), "{piece}\n{error}");
        }
    }
}
