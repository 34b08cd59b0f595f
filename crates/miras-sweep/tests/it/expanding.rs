use std::collections::BTreeSet;

use miras_sweep::Note;

use crate::support::{expanded, labels, read};

#[test]
fn a_grid_has_every_combination_and_seeds_go_round_last() {
    let text = "
        [sweep]
        seeds = [1, 2]
        [sweep.axes]
        memory = ['flat', { kind = 'deep', depth = 3 }]
        train.lr = [0.1, 0.2]";
    assert_eq!(
        labels(text),
        [
            "memory=flat lr=0.1 s1",
            "memory=flat lr=0.2 s1",
            "memory=deep depth=3 lr=0.1 s1",
            "memory=deep depth=3 lr=0.2 s1",
            "memory=flat lr=0.1 s2",
            "memory=flat lr=0.2 s2",
            "memory=deep depth=3 lr=0.1 s2",
            "memory=deep depth=3 lr=0.2 s2",
        ]
    );
}

#[test]
fn tied_keys_go_in_step_and_an_empty_table_leaves_a_key_alone() {
    let text = "
        [memory]
        kind = 'deep'
        [sweep.axes]
        'memory.depth' = [{}, 1]
        [[sweep.tied]]
        'train.width' = [4, 8]
        'train.lr' = { log = [0.01, 1.0], n = 2 }";
    assert_eq!(
        labels(text),
        [
            "width=4 lr=0.01 s7",
            "width=8 lr=1.0 s7",
            "depth=1 width=4 lr=0.01 s7",
            "depth=1 width=8 lr=1.0 s7",
        ]
    );
}

#[test]
fn a_list_is_what_it_says() {
    let text = "
        [sweep]
        mode = 'list'
        [[sweep.list]]
        memory = { kind = 'deep', depth = 4 }
        [[sweep.list]]
        train.lr = 0.5
        train.width = 2";
    assert_eq!(
        labels(text),
        ["memory=deep depth=4 s7", "lr=0.5 width=2 s7"]
    );
}

#[test]
fn each_point_of_a_list_has_every_combination_of_the_axes() {
    let text = "
        [sweep]
        mode = 'list'
        [sweep.axes]
        'train.lr' = [0.1, 0.2]
        [[sweep.list]]
        memory = { kind = 'deep', depth = 4 }
        [[sweep.list]]
        train.width = 2";
    assert_eq!(
        labels(text),
        [
            "memory=deep depth=4 lr=0.1 s7",
            "memory=deep depth=4 lr=0.2 s7",
            "width=2 lr=0.1 s7",
            "width=2 lr=0.2 s7",
        ]
    );
}

/// A point's name stands for what it sets.
#[test]
fn points_of_a_list_may_have_names() {
    let text = "
        [sweep]
        mode = 'list'
        [sweep.axes]
        'train.lr' = [0.1, 0.2]
        [[sweep.list]]
        name = 'as it is'
        train.width = 1
        [[sweep.list]]
        memory = { kind = 'deep', depth = 4 }
        name = 'deeper'";
    assert_eq!(
        labels(text),
        [
            "as it is lr=0.1 s7",
            "as it is lr=0.2 s7",
            "deeper lr=0.1 s7",
            "deeper lr=0.2 s7",
        ]
    );
    let (found, _) = expanded(text).unwrap();
    assert_eq!(found.keys, ["name", "train.lr"]);
    assert!(found.follow.is_empty(), "{:?}", found.follow);
    let deeper = &found.trials[2].0.values;
    assert_eq!(deeper["memory.depth"], 4);
    // TensorBoard's columns are keys.
    let config = &found.trials[2].1;
    assert!(
        config.contains("\"memory.depth\"") && !config.contains("\"name\""),
        "{config}"
    );
}

#[test]
fn random_points_are_a_function_of_the_seed_and_lie_in_their_range() {
    let text = |seed: u64| {
        format!(
            "[sweep]\nmode = 'random'\npoints = 20\ndraw_seed = {seed}\n[sweep.axes]\n\
             'train.lr' = {{ log = [1e-4, 1e-1] }}\n\
             'train.width' = {{ linear = [1, 100], integer = true }}"
        )
    };
    let first = labels(&text(1));
    assert_eq!(first, labels(&text(1)));
    assert_ne!(first, labels(&text(2)));
    let (found, _) = expanded(&text(1)).unwrap();
    let lrs = found
        .trials
        .iter()
        .map(|(trial, _)| trial.values["train.lr"].as_f64().unwrap());
    let low = lrs.clone().filter(|lr| *lr < 3e-3).count();
    assert!(lrs.clone().all(|lr| (1e-4..=1e-1).contains(&lr)));
    assert!(
        (5..=15).contains(&low),
        "half of a logarithmic range is below its middle: {low}"
    );
}

/// The shares of the whole numbers from 1 that are drawn from a range.
fn shares(range: &str, most: usize) -> Vec<f64> {
    let text = format!(
        "[sweep]\nmode = 'random'\npoints = 2000\n[sweep.axes]\n\
         'train.lr' = {{ log = [1e-4, 1e-1] }}\n'train.width' = {range}"
    );
    let (found, _) = expanded(&text).unwrap();
    let mut counts = vec![0; most];
    for (trial, _) in &found.trials {
        counts[trial.values["train.width"].as_u64().unwrap() as usize - 1] += 1;
    }
    let all: i32 = counts.iter().sum();
    let share = |&count: &i32| f64::from(count) / f64::from(all);
    counts.iter().map(share).collect()
}

#[test]
fn whole_numbers_are_drawn_evenly_ends_included() {
    for (range, expected) in [
        ("{ linear = [1, 3], integer = true }", vec![1.0 / 3.0; 3]),
        ("{ linear = [1, 3] }", vec![1.0 / 3.0; 3]),
        ("{ linear = [1, 2] }", vec![0.5; 2]),
        ("{ linear = [1, 8] }", vec![0.125; 8]),
        // From a half below to a half above, on its own scale.
        (
            "{ log = [1, 3], integer = true }",
            [(0.5, 1.5), (1.5, 2.5), (2.5, 3.5)]
                .map(|(low, high): (f64, f64)| (high / low).ln() / 7_f64.ln())
                .to_vec(),
        ),
    ] {
        let found = shares(range, expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            // Five standard deviations, and less than the half that an end once had.
            assert!(
                (found - expected).abs() < 0.056,
                "{range}: {found} {expected}"
            );
        }
    }
}

#[test]
fn rounding_that_makes_points_equal_is_said() {
    let notes = |text: &str| -> Vec<String> {
        let (found, _) = expanded(text).unwrap();
        found.notes.iter().map(ToString::to_string).collect()
    };
    let whole = "[sweep.axes]\n'train.width' = { linear = [1, 3], n = 5, integer = true }";
    assert_eq!(labels(whole), ["width=1 s7", "width=2 s7", "width=3 s7"]);
    assert_eq!(
        notes(whole),
        [
            "the range for `train.width` was to have n = 5 values; rounding makes some equal, which \
             leaves 3: 1, 2, 3"
        ]
    );
    let digits = "[sweep.axes]\n'train.lr' = { linear = [0.1, 0.10001], n = 4 }";
    assert_eq!(labels(digits), ["lr=0.1 s7", "lr=0.10001 s7"]);
    assert!(notes(digits)[0].contains("leaves 2: 0.1, 0.10001"));
    for apart in [
        "[sweep.axes]\n'train.width' = { linear = [1, 3], n = 3 }",
        // What is tied to equal values may differ.
        "[[sweep.tied]]\n'train.width' = { linear = [1, 2], n = 4, integer = true }\n\
         'train.lr' = [0.1, 0.2, 0.3, 0.4]",
    ] {
        assert_eq!(notes(apart), [""; 0], "{apart}");
    }
    let tied = "[[sweep.tied]]\n'train.width' = { linear = [1, 2], n = 4, integer = true }\n\
                'train.lr' = [0.1, 0.2, 0.3, 0.4]";
    let expected = [
        "width=1 lr=0.1 s7",
        "width=1 lr=0.2 s7",
        "width=2 lr=0.3 s7",
        "width=2 lr=0.4 s7",
    ];
    assert_eq!(labels(tied), expected);
}

#[test]
fn what_trials_are_noted_for_is_said_once() {
    let text = "[sweep]\nseeds = [1, 2]\n[sweep.axes]\n'train.lr' = [0.5, 2, 3]\n\
                'train.width' = [8, 101]\n[sweep.evaluate]\nlengths = [8]\ntokens = 16";
    let (found, _) = expanded(text).unwrap();
    let shown = |notes: &[Note]| -> Vec<String> { notes.iter().map(Note::to_string).collect() };
    assert_eq!(
        shown(&found.notes),
        [
            "measured in [8]",
            "lr=2 width=8, lr=2 width=101, lr=3 width=8, lr=3 width=101: bold"
        ]
    );
    assert_eq!(
        shown(&found.unfit),
        ["lr=0.5 width=101, lr=2 width=101, lr=3 width=101: too wide"]
    );
    assert_eq!(found.largest, Some(("lr=3 width=101".to_owned(), 101)));
}

#[test]
fn every_trial_can_be_measured_or_nothing_is_trained() {
    for widths in ["2, 1", "1, 2"] {
        let text = format!(
            "[sweep.axes]\n'train.width' = [{widths}]\n[sweep.evaluate]\nlengths = [8, 3000]\n\
             tokens = 3000"
        );
        let error = expanded(&text).map(|_| ()).unwrap_err();
        for said in [
            "error: at train.width=1: 3000 is too long",
            "sweep.toml:4:15  (sweep.evaluate.lengths[1])",
        ] {
            assert!(error.contains(said), "{error}");
        }
    }
}

#[test]
fn numbers_that_json_does_not_have_stay_apart() {
    let text = "[sweep.axes]\n'train.lr' = [nan, inf, -inf, 0.5]";
    let expected = ["lr=nan s7", "lr=inf s7", "lr=-inf s7", "lr=0.5 s7"];
    assert_eq!(labels(text), expected);
}

#[test]
fn an_id_is_the_configuration_and_nothing_else() {
    let ids = |text: &str| -> BTreeSet<String> {
        let (found, _) = expanded(text).unwrap();
        found
            .trials
            .into_iter()
            .map(|(trial, _)| trial.id)
            .collect()
    };
    let one = ids("[sweep.axes]\n'train.lr' = [0.1, 0.2]");
    assert_eq!(one.len(), 2);
    assert_eq!(
        one,
        ids("[sweep.axes]\n'train.lr' = [0.2, 0.1]"),
        "order is none of it"
    );
    let other = ids("[train]\nwidth = 9\n[sweep.axes]\n'train.lr' = [0.1, 0.2]");
    assert!(
        one.is_disjoint(&other),
        "another width is another configuration"
    );
    let (found, _) = expanded("[sweep.axes]\n'train.lr' = [0.1, 0.2, 0.1]").unwrap();
    assert_eq!((found.trials.len(), found.repeated), (2, 1));
}

#[test]
fn a_width_is_found_at_which_models_are_equal() {
    let text = |rest: &str| {
        format!(
            "[memory]\nkind = 'deep'\n[train]\nwidth = 64\n[sweep.axes]\n\
             'memory.depth' = [1, 2, 4, 5]\n[[sweep.match]]\nbudget = 'parameters'\n\
             key = 'train.width'\n{rest}"
        )
    };
    let widths = |rest: &str| -> Vec<u64> {
        let (found, _) = expanded(&text(rest)).unwrap();
        // What is equal as it is keeps the width that it has.
        let width = |trial: &miras_sweep::Trial| {
            (trial.matched.get("train.width")).map_or(64, |width| width.as_u64().unwrap())
        };
        (found.trials.iter())
            .map(|(trial, _)| width(trial))
            .collect()
    };
    assert_eq!(widths("within = 0.03"), [64, 45, 32, 29]);
    assert_eq!(widths("to = 900\nwithin = 0.07"), [30, 21, 15, 13]);
    assert_eq!(
        widths("to = 1000000\nmultiple = 8\nwithin = 0.05"),
        [1000, 704, 496, 448]
    );
    let error = expanded(&text("within = 0.001")).unwrap_err();
    assert!(
        error.contains("at memory.depth=2 no value of `train.width` gives 4096 parameters"),
        "{error}"
    );
    assert!(error.contains("the nearest, 45, gives 4050"), "{error}");
    assert!(error.contains("sweep.toml:9:7"), "{error}");
}

#[test]
fn a_point_may_be_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "deep.toml",
        "[memory]\nkind = 'deep'\ndepth = 5\n[train]\nsteps = 99",
    );
    write("flat.toml", "[memory]\nkind = 'flat'");
    write(
        "sweep.toml",
        "[train]\nsteps = 20\n[sweep.axes]\nextends = ['deep.toml', 'flat.toml']\n'train.lr' = [0.1]",
    );
    let (found, _) = read(&dir.path().join("sweep.toml")).unwrap();
    let depths = found.trials.iter().map(|(trial, config)| {
        (
            trial.label.clone(),
            config.contains("depth = 5"),
            config.contains("memory.kind"),
        )
    });
    assert_eq!(
        depths.collect::<Vec<_>>(),
        [
            ("deep lr=0.1".into(), true, true),
            ("flat lr=0.1".into(), false, true)
        ]
    );
    // A missing file is no combination that may be left out.
    for invalid in ["refuse", "skip"] {
        let text = format!(
            "[sweep.axes]\nextends = ['deep.toml', 'none.toml']\n[sweep]\ninvalid = '{invalid}'"
        );
        write("sweep.toml", &text);
        let error = read(&dir.path().join("sweep.toml"))
            .map(|_| ())
            .unwrap_err();
        assert!(error.contains("there is no file `none.toml`"), "{error}");
        assert!(error.contains("sweep.toml:2:25"), "{error}");
    }
}

#[test]
fn budgets_are_met_together_or_refused() {
    let two = |first: &str, second: &str| {
        format!(
            "[train]\nwidth = 64\n[memory]\nkind = 'deep'\n[sweep.axes]\n'train.lr' = [0.1]\n\
             [[sweep.match]]\nbudget = 'parameters'\nkey = 'train.width'\nwithin = 0.3\nto = {first}\n\
             [[sweep.match]]\nbudget = 'parameters'\nkey = 'memory.depth'\nwithin = 0.3\nto = {second}"
        )
    };
    // Two budgets of one thing, so only equal ones can be met.
    assert!(expanded(&two("1058", "1058")).is_ok());
    let error = expanded(&two("1058", "3000")).unwrap_err();
    assert!(
        error.contains("these budgets cannot be met together"),
        "{error}"
    );
    assert!(error.contains("sweep.toml:14:7"), "{error}");
}

#[test]
fn whole_numbers_stay_whole_and_ends_are_exact() {
    assert_eq!(
        labels("[sweep.axes]\n'train.width' = { linear = [1, 7], n = 3 }"),
        ["width=1 s7", "width=4 s7", "width=7 s7"]
    );
    assert_eq!(
        labels("[sweep.axes]\n'train.lr' = { linear = [0.99, 0.99999], n = 2 }"),
        ["lr=0.99 s7", "lr=0.99999 s7"]
    );
}

#[test]
fn what_follows_from_an_axis_is_known() {
    let text = "[sweep.axes]\nmemory = ['flat', { kind = 'deep' }]";
    let (found, _) = expanded(text).unwrap();
    assert_eq!(found.keys, ["memory.kind"]);
    assert_eq!(found.follow, ["memory.depth"]);
}

#[test]
fn rungs_count_in_tokens() {
    let text = "[sweep.axes]\n'train.lr' = [0.1]\n\
                [[sweep.rungs]]\ntokens = 250\n[[sweep.rungs]]\ntokens = 1000\nbest = 1";
    let (found, _) = expanded(text).unwrap();
    assert_eq!(found.trials[0].0.steps, [3, 10]);
    assert_eq!(found.trials[0].0.tokens(0), 300);
    assert!((found.trials[0].0.flops(1) - 3000.0).abs() < 1e-9);
    assert!(
        found.trials[0].1.contains("steps = 10"),
        "{}",
        found.trials[0].1
    );
}

/// A file, and what is said of it.
const MISTAKES: &[(&str, &str)] = &[
    ("[train]\nlr = 1", "there is no [sweep] in this file"),
    ("[sweep]\nsedes = [1]", "unknown field `sedes`"),
    ("[sweep]\nsedes = [1]", "sweep.toml:2:1  (sweep.sedes)"),
    ("[sweep]\nmode = 'gird'", "did you mean `grid`?"),
    (
        "[sweep.axes]\n'train.lr' = 0.1",
        "write [0.1] for one value",
    ),
    ("[sweep.axes]\n'train.lr' = []", "sweep.toml:2:14"),
    ("[sweep.axes]\n'train.rl' = [0.1]", "unknown field `rl`"),
    (
        "[sweep.axes]\n'train.rl' = [0.1]",
        "sweep.toml:2:15  (train.rl)",
    ),
    (
        "[sweep.axes]\n'train.lr' = [0.1, 'x']",
        "sweep.toml:2:20  (train.lr)",
    ),
    (
        "[sweep.axes]\nmemory = ['flat', 'fat']",
        "sweep.toml:2:19  (memory.kind)",
    ),
    (
        "[sweep.axes]\nmemory = ['flat', { kind = 'deep', detph = 3 }]",
        "did you mean `depth`?",
    ),
    (
        "[sweep.axes]\n'train.seed' = [1, 2]",
        "write sweep.seeds = [1, 2, 3]",
    ),
    ("[sweep]\nseeds = [1, 1]", "sweep.seeds names 1 twice"),
    ("[sweep]\nmode = 'random'", "add sweep.points"),
    ("[sweep]\npoints = 3", "points belongs to mode = \"random\""),
    ("[sweep]\nmode = 'list'", "needs its points"),
    ("[[sweep.list]]\ntrain.lr = 1", "belongs to mode = \"list\""),
    (
        "[sweep.axes]\nname = ['a', 'b']",
        "`name` is what a point of [[sweep.list]] is called, and no key",
    ),
    (
        "[sweep.evaluate]\nmemory = ['half']\ntasks = ['hellaswag=x.jsonl']",
        "tasks go on from contexts",
    ),
    (
        "[sweep]\nmode = 'list'\n[[sweep.list]]\nname = 'a'\ntrain.lr = 0.1\n[[sweep.list]]\ntrain.lr = 0.2",
        "this point has no name, and others have",
    ),
    (
        "[sweep]\nmode = 'list'\n[[sweep.list]]\nname = 'a'\ntrain.lr = 0.1\n[[sweep.list]]\nname = 'a'\ntrain.lr = 0.2",
        "\"a\" is the name of two points",
    ),
    (
        "[sweep]\nmode = 'list'\n[[sweep.list]]\nname = 3\ntrain.lr = 0.1",
        "a name is a text with letters, found 3",
    ),
    (
        "[[sweep.tied]]\n'train.lr' = [1, 2]\n'train.width' = [1]",
        "found 2 and 1 values",
    ),
    (
        "[sweep.axes]\n'train.lr' = { log = [0, 1], n = 3 }",
        "above 0, got 0 and 1",
    ),
    (
        "[sweep.axes]\n'train.lr' = { log = [1, 2] }",
        "add n, for example n = 5",
    ),
    (
        "[sweep.axes]\n'train.width' = { linear = [1.5, 3], n = 2, integer = true }",
        "goes from one whole number to another, of at most 2^53, got 1.5 and 3",
    ),
    (
        "[sweep.axes]\n'train.lr' = { log = [1, 2], m = 2 }",
        "no range: unknown field `m`",
    ),
    (
        "[[sweep.rungs]]\ntokens = 9\nbest = 2",
        "all points are on the first rung",
    ),
    (
        "[[sweep.rungs]]\ntokens = 9\n[[sweep.rungs]]\ntokens = 10",
        "add `best`",
    ),
    (
        "[[sweep.rungs]]\ntokens = 9\n[[sweep.rungs]]\ntokens = 9\nbest = 1",
        "more tokens than the one before it, 9",
    ),
    (
        "[[sweep.rungs]]\ntokens = 9\n[[sweep.rungs]]\ntokens = 10\nbest = 1",
        "no longer than the one before it: a step has 100 tokens",
    ),
    (
        "[[sweep.match]]\nbudget = 'params'",
        "unknown value `params`",
    ),
    (
        "[[sweep.match]]\nbudget = 'flops'\nwithin = 2",
        "within is a share",
    ),
    (
        "[sweep.evaluate]\nlengths = [8]\ntokens = 4",
        "tokens = 4 is less than a row of 8",
    ),
    (
        "[sweep.evaluate]\nlengths = [8]\ntokens = 16\nmemory = ['dead']",
        "memory is one of `live`, `frozen`, `reset`, `half`, `unread`, found `dead`",
    ),
    (
        "[sweep]\ninvalid = 'skip'\n[sweep.axes]\nmemory = ['fat']",
        "this sweep has no trial",
    ),
    (
        "[sweep]\nmode = 'random'\npoints = 3\n[sweep.axes]\n'train.seed' = { linear = [1, 9] }",
        "the seed is no axis",
    ),
    (
        "[sweep]\nmode = 'random'\npoints = 9223372036854775807\n[sweep.axes]\n'train.lr' = [1]",
        "and 10000 is the most",
    ),
    (
        "[sweep]\nmode = 'random'\npoints = 3\n[[sweep.tied]]",
        "this table sets no key",
    ),
    (
        "[sweep.axes]\n'train.lr' = [0.1]\n[[sweep.tied]]\ntrain.lr = [1]",
        "two axes set `train.lr`",
    ),
    (
        "[sweep.axes]\n'train.width' = [4, 8]\n[[sweep.match]]\nbudget = 'parameters'\nkey = 'train.width'",
        "`train.width` is chosen by [[sweep.match]] already",
    ),
    (
        "[sweep.axes]\n'train.steps' = [4, 8]\n[[sweep.rungs]]\ntokens = 100",
        "`train.steps` is what [[sweep.rungs]] decide already",
    ),
    (
        "[sweep.axes]\n'train.lr' = [0.1]\n[[sweep.match]]\nbudget = 'flops'\nkey = 'train.width'\nto = 9",
        "`train.width` does not change the FLOPs a token",
    ),
    (
        "[sweep.axes]\n'train.lr' = [0.1]\n[[sweep.match]]\nbudget = 'parameters'\nkey = 'train.lrr'\nto = 9",
        "`train.lrr` = 1, tried for parameters: unknown field `lrr`",
    ),
    (
        "[sweep]\nmetric = 'eval/los'\n[sweep.axes]\n'train.lr' = [1]",
        "did you mean `eval/loss`?",
    ),
    (
        "[sweep.evaluate]\nlengths = [8, 12]\ntokens = 32",
        "tokens = 32 is no whole number of rows of 12",
    ),
    (
        "[sweep.axes]\n'train.lr' = { linear = [-1e308, 1e308], n = 2 }",
        "a range goes from low to high",
    ),
];

#[test]
fn mistakes_have_a_line() {
    for (text, said) in MISTAKES {
        let error = expanded(text).map(|_| ()).unwrap_err();
        assert!(error.contains(said), "{text}\n\n{error}\n\nlacks: {said}");
    }
}

#[test]
fn invalid_combinations_can_be_skipped() {
    let text = "[sweep]\ninvalid = 'skip'\n[sweep.axes]\nmemory = ['flat', 'deep']\n\
                'memory.depth' = [{}, 3]";
    let (found, _) = expanded(text).unwrap();
    let skipped: Vec<String> = (found.skipped.iter())
        .map(|skip| format!("{}: {}", skip.label, skip.error.message()))
        .collect();
    assert_eq!(found.trials.len(), 3);
    assert_eq!(skipped.len(), 1);
    assert!(skipped[0].contains("unknown field `depth`"), "{skipped:?}");
}

/// The keys of all mistakes, in their order.
fn mistakes(text: &str) -> Vec<String> {
    let error = expanded(text).map(|_| ()).unwrap_err();
    let places = error.lines().filter(|line| line.trim().starts_with("--> "));
    let keys = places.filter_map(|place| place.split("  (").nth(1)?.strip_suffix(')'));
    let keys: Vec<String> = keys.map(str::to_owned).collect();
    assert_eq!(error.matches("error: ").count(), keys.len(), "{error}");
    keys
}

#[test]
fn all_mistakes_in_the_tables_of_a_sweep_are_said_at_once() {
    let text = "
        [sweep]
        mode = 'random'
        metrc = 'eval/loss'
        seeds = [1, 2, 1]
        [sweep.axes]
        'train.lr' = 3
        'train.width' = []
        memory.depth = { log = [2, 1], n = 3 }
        [[sweep.tied]]
        [[sweep.tied]]
        'train.steps' = [1, 2]
        'train.lr' = [1, 2, 3]
        [[sweep.match]]
        budget = 'parameters'
        within = 2
        multiple = 0
        [[sweep.match]]
        budget = 'parameters'
        to = -1
        [[sweep.rungs]]
        tokens = 10
        best = 1
        [[sweep.rungs]]
        tokens = 10
        [sweep.evaluate]
        lengths = []
        tokens = 7
        memory = ['live', 'live', 'dead']";
    assert_eq!(
        mistakes(text),
        [
            "sweep.mode",
            "sweep.metrc",
            "sweep.seeds[2]",
            "sweep.axes.\"train.lr\"",
            "sweep.axes.\"train.width\"",
            "sweep.axes.memory.depth",
            "sweep.tied[0]",
            "sweep.tied[1]",
            "sweep.match[0].within",
            "sweep.match[0].multiple",
            "sweep.match[1].key, a default",
            "sweep.match[1].to",
            "sweep.rungs[0].best",
            "sweep.rungs[1]",
            "sweep.rungs[1].tokens",
            "sweep.evaluate.lengths",
            "sweep.evaluate.memory[1]",
            "sweep.evaluate.memory[2]",
        ]
    );
    // What is about several tables, where each is sound.
    let text = "
        [sweep]
        mode = 'list'
        points = 3
        [sweep.axes]
        'train.seed' = [1, 2]
        'train.width' = [1, 2]
        'train.steps' = [1, 2]
        'train.lr' = [1, 2]
        [[sweep.tied]]
        'train.lr' = [1, 2]
        [[sweep.match]]
        budget = 'parameters'
        key = 'train.width'
        [[sweep.rungs]]
        tokens = 10";
    assert_eq!(
        mistakes(text),
        [
            "sweep.mode",
            "sweep.points",
            "train.seed",
            "train.width",
            "train.steps",
            "train.lr",
        ]
    );
}

#[test]
fn every_value_that_cannot_be_is_said_once() {
    let text = "
        [sweep.axes]
        'train.lr' = ['fast', 0.1, 'slow']
        'train.width' = [8, -1]";
    assert_eq!(mistakes(text), ["train.lr", "train.lr", "train.width"]);
}
