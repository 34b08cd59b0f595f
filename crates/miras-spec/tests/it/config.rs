//! What the loader takes and what it refuses.

use miras_config::{Layers, Origins, annotated};
use miras_core::Axis;
use miras_registry::Registry;
use miras_spec::RunConfig;

use crate::configs::{ATTENTION, MEMORY, RECALL, config, layers};

fn load_text(text: &str) -> RunConfig {
    config(text, &[])
}

#[test]
fn a_resolved_configuration_loads_as_itself() {
    let all: &[(&str, &[&str])] = &[
        ("", &[]),
        (MEMORY, &[]),
        (MEMORY, RECALL),
        (ATTENTION, &[]),
        (
            MEMORY,
            &["train.on_nonfinite=skip", "train.max_minutes=2.5"],
        ),
        (MEMORY, &["train.state=carry"]),
        (MEMORY, &["train.init_from='runs/a b'"]),
        (MEMORY, &["eval.controls=['read_zero', 'step_zero']"]),
        (
            MEMORY,
            &[
                "data.kind=text",
                "data.path=['a.txt', 'b']",
                "data.valid_path='c'",
            ],
        ),
        (
            MEMORY,
            &[
                "memory.kind=matrix",
                "memory.dim=4",
                "train.seed=9007199254740993",
            ],
        ),
    ];
    for (text, sets) in all {
        let first = config(text, sets);
        let written = annotated(&first.to_table(), &Origins::default());
        let again = load_text(&written);
        assert_eq!(again.to_table(), first.to_table(), "{written}");
        assert_eq!(annotated(&again.to_table(), &Origins::default()), written);
    }
}

#[test]
fn sections_come_in_a_readable_order() {
    let names: Vec<String> = load_text("").to_table().keys().cloned().collect();
    let expected = [
        "model",
        "mixer",
        "memory",
        "bias",
        "retention",
        "algorithm",
        "task",
        "data",
        "train",
        "optim",
        "eval",
        "checkpoint",
        "log",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let table = load_text("").to_table();
    for (key, value) in [
        ("steps", "1000"),
        ("seed", "1"),
        ("batch", "8"),
        ("accumulate", "1"),
        ("state", "\"reset\""),
        ("device", "\"cpu\""),
        ("on_nonfinite", "\"stop\""),
    ] {
        assert_eq!(table["train"][key].to_string(), value, "{key}");
    }
    assert_eq!(table["data"]["kind"].as_str(), Some("builtin"));
    let skip = config("", &["train.on_nonfinite=skip"]);
    assert_eq!(skip.train.max_skips, Some(10));
}

/// Text, and pieces of its error. Every check of this crate is here.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "[train]\nsteps = 0",
        &[
            "train.steps must be from 1 to 1000000000000, got 0",
            "test.toml:2:9",
            "^",
        ],
    ),
    (
        "[train]\nmax_minutes = 0.0",
        &["train.max_minutes must be above 0, got 0", "test.toml:2:15"],
    ),
    (
        "[train]\nmax_minutes = nan",
        &["train.max_minutes must be a finite number, above 0, got NaN"],
    ),
    (
        "[train]\nmax_minutes = inf",
        &["train.max_minutes must be a finite number, above 0, got inf"],
    ),
    (
        "[train]\nseed = -1",
        &[
            "expected an integer of at least 0, found the integer -1",
            "test.toml:2:8",
        ],
    ),
    (
        "[train]\nbatch = 0",
        &["train.batch must be from 1 to 1048576 sequences of data.seq_len = 256, got 0"],
    ),
    (
        "[train]\nbatch = 1048577",
        &["train.batch must be from 1 to 1048576", "test.toml:2:9"],
    ),
    (
        "[train]\naccumulate = 0",
        &["train.accumulate must be from 1 to 1000000, got 0"],
    ),
    (
        "[train]\nstate = 'cary'",
        &[
            "unknown value `cary`",
            "did you mean `carry`?",
            "test.toml:2:9",
        ],
    ),
    (
        "[train]\nstate = 'carry'\n[data]\nkind = 'mqar'",
        &[
            "train.state = \"carry\" needs data in order, but the sequences of data.kind = \"mqar\" are independent",
            "test.toml:2:9",
            "help: set train.state = \"reset\", or data.kind = \"text\" or \"builtin\"",
        ],
    ),
    (
        "[mixer]\nkind = 'attention'\n[train]\nstate = 'carry'",
        &[
            "train.state = \"carry\" needs a state of constant size, but that of mixer.kind = \"attention\" grows with every token",
            "test.toml:4:9",
            "help: set train.state = \"reset\", or mixer.kind = \"memory\"",
        ],
    ),
    (
        "[mixer]\nkind = 'attention'\n[train]\nmemory = 'frozen'",
        &[
            "train.memory = \"frozen\" is about memories, and this model has attention",
            "test.toml:4:10",
            "help: leave it out",
        ],
    ),
    (
        "[train]\nstate = 'carry'\nmemory = 'half'",
        &[
            "train.memory = \"half\" counts from the start of a row",
            "test.toml:3:10",
        ],
    ),
    (
        "[train]\nmemory = 'frozen'\n[eval]\ncontrols = ['step_zero']",
        &[
            "eval.controls take something away from memories that learn, and train.memory = \"frozen\"",
            "test.toml:4:12",
        ],
    ),
    (
        "[train]\nmemory = 'frosen'",
        &["unknown value `frosen`", "did you mean `frozen`?"],
    ),
    (
        "[train]\nmemory = 'reset'\n[log]\nsamples = ['Tom']",
        &[
            "log.samples are texts that go on, and train.memory = \"reset\" depends on where a row begins and ends",
            "test.toml:4:11",
        ],
    ),
    (
        "[train]\ndevice = 'cdua'",
        &[
            "unknown device `cdua`",
            "did you mean `cuda`?",
            "test.toml:2:10",
        ],
    ),
    (
        "[train]\non_nonfinite = 'skp'",
        &["unknown value `skp`", "did you mean `skip`?"],
    ),
    (
        "[train]\nmax_skips = 3",
        &[
            "max_skips belongs to train.on_nonfinite = \"skip\"",
            "test.toml:2:13",
            "help: leave it out",
        ],
    ),
    (
        "[train]\non_nonfinite = 'skip'\nmax_skips = 0",
        &["train.max_skips must be 1 or more, got 0", "test.toml:3:13"],
    ),
    (
        "[train]\nstpes = 3",
        &[
            "unknown field `stpes`",
            "did you mean `steps`?",
            "test.toml:2:1",
        ],
    ),
    (
        "[optim]\nlr = 0.0",
        &[
            "optim.lr must be above 0 and at most 1e38, got 0",
            "test.toml:2:6",
        ],
    ),
    (
        "[optim]\nlr = -1.0",
        &["optim.lr must be above 0 and at most 1e38, got -1"],
    ),
    (
        "[optim]\nlr = nan",
        &["optim.lr must be a finite number, above 0 and at most 1e38, got NaN"],
    ),
    (
        "[log]\nsamples = ['']",
        &["log.samples has an empty prompt", "test.toml:2:11"],
    ),
    (
        "[data]\nkind = 'mqar'\n[log]\nsamples = ['Tom']",
        &[
            "log.samples are texts to go on with, and these data have none",
            "test.toml:4:11",
        ],
    ),
    (
        "[optim]\nlr = 'fast'",
        &["expected a number", "test.toml:2:6"],
    ),
    (
        "[optim]\nweight_decay = -0.1",
        &[
            "optim.weight_decay must be from 0 to 1000, a step shrinks weights by optim.lr times as much, got -0.1",
        ],
    ),
    (
        "[optim]\nweight_decay = 1e301",
        &[
            "optim.weight_decay must be from 0 to 1000, ",
            ", got 1e301",
            "test.toml:2:16",
        ],
    ),
    (
        "[optim]\nlr = 3e38",
        &["optim.lr must be above 0 and at most 1e38, got 3e38"],
    ),
    (
        "[optim]\nepsilon = 1e30",
        &["optim.epsilon must be above 0 and at most 1"],
    ),
    (
        "[optim]\nclip = 1e301",
        &["optim.clip must be 0 (off), or from 1e-30 to 1e30"],
    ),
    (
        "[optim]\nclip = 1e-320",
        &["optim.clip must be 0 (off), or from 1e-30 to 1e30"],
    ),
    (
        "[optim]\nbeta1 = 1.0",
        &["optim.beta1 must be from 0 to below 1, got 1"],
    ),
    (
        "[optim]\nbeta2 = -0.5",
        &["optim.beta2 must be from 0 to below 1, got -0.5"],
    ),
    (
        "[optim]\nepsilon = 0.0",
        &["optim.epsilon must be above 0 and at most 1, got 0"],
    ),
    (
        "[optim]\nepsilon = 1e-60",
        &["optim.epsilon must be above 0"],
    ),
    (
        "[optim]\nwarmup = 20\ndecay_steps = 10",
        &[
            "optim.decay_steps = 10 ends before the warm-up, which takes optim.warmup = 20 steps",
            "test.toml:3:15",
            "counts from the first step",
        ],
    ),
    (
        "[optim]\nmin_lr = 1.5",
        &["optim.min_lr must be from 0 to 1, a share of optim.lr, got 1.5"],
    ),
    (
        "[optim]\nclip = -1.0",
        &["optim.clip must be 0 (off), or from 1e-30 to 1e30, got -1"],
    ),
    (
        "[eval]\ntokens = 0",
        &["eval.tokens must be from 1 to 1000000000000 tokens, got 0"],
    ),
    (
        "[eval]\nbatches = 0",
        &["eval.batches must be from 1 to 1000000000000 tokens, got 0"],
    ),
    (
        "[eval]\nbatches = 2\ntokens = 64",
        &[
            "`eval.batches` is the old name of `eval.tokens`, and both are set",
            "2 | batches = 2",
            "leave `eval.batches` out",
        ],
    ),
    (
        "[eval]\ncontrols = ['read_zer']",
        &[
            "unknown value `read_zer`",
            "did you mean `read_zero`?",
            "test.toml:2:13",
        ],
    ),
    (
        "[eval]\ncontrols = ['read_zero', 'read_zero']",
        &["eval.controls names \"read_zero\" twice"],
    ),
    (
        "[mixer]\nkind = 'attention'\n[eval]\ncontrols = ['read_zero']",
        &["attention has none", "test.toml:4:12", "help: leave it out"],
    ),
    (
        "[checkpoint]\nkeep_last = 0",
        &["checkpoint.keep_last must be 1 or more, got 0"],
    ),
    (
        "[checkpoint]\nevery = -1",
        &["expected an integer of at least 0"],
    ),
    ("[log]\nevery = 0", &["log.every must be 1 or more, got 0"]),
    (
        "[log]\nsurprise_threshold = -1.0",
        &["log.surprise_threshold must be 0 or more, got -1"],
    ),
    (
        "[data]\nkind = 'buitin'",
        &[
            "unknown data `buitin`, expected one of builtin, text, fasta, mqar, needle",
            "did you mean `builtin`?",
            "test.toml:2:8",
        ],
    ),
    (
        "[data]\nseq_length = 3",
        &["unknown field `seq_length`", "did you mean `seq_len`?"],
    ),
    (
        "[data]\nseq_len = 0",
        &["data.seq_len: must be from 1 to", "test.toml:2:11"],
    ),
    (
        "[data]\nkind = 'text'",
        &["data.path: must name a file", "test.toml:1:1"],
    ),
    (
        "[data]\nkind = 'mqar'\npairs = 0",
        &["data.pairs: must be 1 or more", "test.toml:3:9"],
    ),
    (
        "[data]\nvalid_fraction = 1.0",
        &["data.valid_fraction: must lie between 0 and 1"],
    ),
    (
        "[trian]\nsteps = 3",
        &[
            "unknown section `trian`",
            "did you mean `train`?",
            "test.toml:1:2",
        ],
    ),
    (
        "[model]\nlayers = 0",
        &["layers must be 1 or more", "test.toml:2:10"],
    ),
    ("[retention]\nknid = 'l2'", &["unknown field `knid`"]),
    (
        "[train]\nsteps = 1000000000001",
        &["train.steps must be from 1 to 1000000000000, got 1000000000001"],
    ),
    (
        "[train]\nsteps = 9223372036854775807",
        &["train.steps must be from 1 to 1000000000000, got 9223372036854775807"],
    ),
    (
        "[train]\naccumulate = 1000001",
        &["train.accumulate must be from 1 to 1000000, got 1000001"],
    ),
    (
        "[train]\naccumulate = 9223372036854775807",
        &["train.accumulate must be from 1 to 1000000, got 9223372036854775807"],
    ),
    (
        "[log]\nsurprise_threshold = 1.0\n[mixer]\nkind = 'attention'",
        &[
            "log.surprise_threshold is about memories, and attention has none",
            "test.toml:2:22",
        ],
    ),
    (
        "[data]\nkind = 'text'\npath = 'a'\nvalid_path = 'b'\nvalid_fraction = 0.2",
        &[
            "data.valid_fraction: has no effect beside valid_path",
            "test.toml:5:18",
        ],
    ),
    (
        "[retention]\nkind = 'none'\ndecay = 0.9",
        &[
            "unknown field `decay`",
            "help: `decay` belongs to retention.kind = \"l2\" or \"ball\" or \"lq\" or \"kl\" or \"f_divergence\" or \"sigmoid\" or \"elastic_net\" or \"private\"",
            "test.toml:3:1",
        ],
    ),
    (
        "[data]\npairs = 3",
        &[
            "unknown field `pairs`",
            "help: `pairs` belongs to data.kind = \"mqar\"",
        ],
    ),
    (
        "lr = 1.0",
        &["unknown field `lr`", "help: did you mean `optim.lr`?"],
    ),
    (
        "[train]\nlr = 1.0",
        &["unknown field `lr`", "help: did you mean `optim.lr`?"],
    ),
    (
        "[optim]\nlearning_rate = 1.0",
        &[
            "unknown field `learning_rate`",
            "help: `learning_rate` is called `optim.lr` here",
        ],
    ),
    ("depth = 3", &["help: did you mean `memory.depth`?"]),
    (
        "[model]\nevery = 3",
        &["help: did you mean one of `checkpoint.every`, `eval.every`, `log.every`?"],
    ),
];

#[test]
fn the_largest_numbers_that_can_be_counted_are_accepted() {
    let all = ["train.steps=1000000000000", "train.accumulate=1000000"];
    let train = config("", &all).train;
    assert_eq!(
        (train.steps, train.accumulate),
        (1_000_000_000_000, 1_000_000)
    );
    assert!(train.steps.checked_mul(train.accumulate as u64).is_some());
    // TOML itself ends here.
    let text = "[train]\nsteps = 9223372036854775808";
    let error = Layers::new()
        .text("test.toml", text)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("does not fit in 64 bits") && error.contains("test.toml:2:9"),
        "{error}"
    );
}

#[test]
fn a_key_of_another_kind_is_said_to_belong_there() {
    for axis in Axis::ALL {
        for here in Registry::builtin().parts(axis) {
            for (other, key) in (Registry::builtin().parts(axis).iter())
                .filter(|other| other.kind != here.kind)
                .flat_map(|other| other.keys.iter().map(|(key, _)| (other.kind, *key)))
                .filter(|(_, key)| here.keys.iter().all(|(own, _)| own != key))
            {
                let table = axis.table();
                let text = format!("[{table}]\nkind = '{}'\n{key} = 1", here.kind);
                let error = RunConfig::load(layers(&text, &[]), &Registry::builtin())
                    .unwrap_err()
                    .to_string();
                let start = format!("`{key}` belongs to {table}.kind = ");
                let help = error.split_once("help: ").map(|(_, help)| help);
                // What a slip in a key of this kind would be is asked first.
                let owner = help.and_then(|help| {
                    let behind = help.split_once("`? ").map(|(_, behind)| behind);
                    help.strip_prefix(&start)
                        .or_else(|| behind?.strip_prefix(&start))
                });
                let kinds = owner.unwrap_or_else(|| panic!("{error}"));
                assert!(kinds.contains(&format!("{other:?}")), "{error}");
            }
        }
    }
}

#[test]
fn a_chunk_that_holds_more_than_a_sequence_is_noted() {
    let notes = |sets: &[&str]| config(MEMORY, sets).notes().join("\n");
    let note = "algorithm.chunk = 33 is more than data.seq_len = 32: each sequence is one chunk";
    assert!(notes(&["algorithm.chunk=33"]).contains(note));
    assert!(!notes(&["algorithm.chunk=32"]).contains("chunk"));
    assert!(!config(ATTENTION, &[]).notes().join("\n").contains("chunk"));
    // Nothing that is written is ever read.
    let stale = ["algorithm.read=stale", "algorithm.chunk=32"];
    assert!(notes(&stale).contains("the memory is as it was learned"));
    assert!(!notes(&["algorithm.read=stale", "algorithm.chunk=16"]).contains("chunk"));
    // Nothing is reset.
    let reset = ["train.memory=reset", "algorithm.chunk=32"];
    assert!(notes(&reset).contains("resets nothing"));
    assert!(!notes(&["train.memory=reset", "algorithm.chunk=16"]).contains("resets"));
}

#[test]
fn noise_that_anybody_can_subtract_is_noted() {
    let private = [
        "retention={ kind = 'private', noise = 1.0 }",
        "algorithm={ kind = 'gd', form = 'chunk_start', chunk = 16 }",
    ];
    let notes = |more: &[&str]| {
        let sets = [&private[..], more].concat();
        config(MEMORY, &sets).notes().join("\n")
    };
    assert!(notes(&[]).contains("draw a seed at random"));
    assert!(!notes(&["retention.noise_seed=5"]).contains("seed"));
    assert!(!notes(&["retention.noise=0"]).contains("seed"));
}

#[test]
fn a_start_from_which_recall_is_not_learned_is_noted() {
    let note = "recall was not learned from this start";
    let notes = |sets: &[&str]| config(MEMORY, sets).notes().join("\n");
    for data in [
        "data={ kind = 'mqar', vocab = 64, seq_len = 32, pairs = 4, gap = 8 }",
        "data={ kind = 'needle', seq_len = 600 }",
    ] {
        let said = notes(&[data, "model.init=standard"]);
        assert!(said.contains(note), "{data}: {said}");
        assert!(
            !notes(&[data, "model.init=recall"]).contains(note),
            "{data}"
        );
        let from = [data, "model.init=standard", "train.init_from='runs/a'"];
        assert!(!notes(&from).contains(note), "{data}");
    }
    let text = [
        "data={ kind = 'builtin', seq_len = 32 }",
        "model.init=standard",
    ];
    assert!(!notes(&text).contains(note));
}

#[test]
fn a_schedule_that_does_not_end_with_the_run_is_noted() {
    let notes = |sets: &[&str]| config(MEMORY, sets).notes();
    // Two steps of warm-up and a fall over eight; the fourth is a quarter of the way, at cos² 22.5°.
    let fall = ["optim.min_lr=0", "optim.decay_steps=10", "train.steps=5"];
    assert_eq!(
        notes(&fall),
        [
            "the learning rate falls until optim.decay_steps = 10; with train.steps = 5 it is still \
             falling at the end, at 85 % of optim.lr"
        ]
    );
    let short = ["optim.decay_steps=3"];
    assert!(notes(&short)[0].ends_with("with train.steps = 4 it stays at its end from there on"));
    assert_eq!(notes(&["optim.decay_steps=4"]), [""; 0]);
    // One that is constant falls nowhere.
    assert_eq!(notes(&["optim.min_lr=1"]), [""; 0]);
    assert_eq!(
        notes(&["train.steps=1"]),
        [
            "the warm-up takes optim.warmup = 2 steps; with train.steps = 1 the learning rate gets to \
             50 % of optim.lr"
        ]
    );
}

#[test]
fn batches_are_an_older_way_to_say_tokens() {
    let older = config(MEMORY, &["eval.tokens=64"]).to_table();
    let text = MEMORY.replace("tokens = 64", "batches = 3");
    let found = config(&text, &[]);
    assert_eq!(found.eval.tokens, 3 * 2 * 32);
    let note = &found.notes()[0];
    let expected = "eval.batches = 3 is taken as eval.tokens = 192 (times train.batch = 2 and data.seq_len = 32)";
    assert!(note.starts_with(expected), "{note}");
    // What is stored has the present name alone.
    assert_eq!(found.to_table()["eval"]["tokens"].as_integer(), Some(192));
    let keys = |table: &toml::Table| -> Vec<String> {
        let eval = table["eval"].as_table().unwrap();
        eval.keys().cloned().collect()
    };
    assert_eq!(keys(&found.to_table()), keys(&older));
    // The later layer counts, whatever the name.
    let later = config(&text, &["eval.tokens=64"]);
    assert_eq!((later.eval.tokens, later.eval.batches), (64, None));
    let earlier = config(MEMORY, &["eval.batches=5"]);
    assert_eq!(earlier.eval.tokens, 5 * 2 * 32);
    let set = config(MEMORY, &[]);
    assert_eq!(set.notes(), config(MEMORY, &["eval.tokens=128"]).notes());
}

#[test]
fn every_mistake_is_shown_where_it_is() {
    for (text, pieces) in REFUSED {
        let Err(error) = RunConfig::load(layers(text, &[]), &Registry::builtin()) else {
            panic!("{text} is accepted");
        };
        let shown = error.to_string();
        for piece in *pieces {
            assert!(shown.contains(piece), "{text}\nlacks {piece}\n{shown}");
        }
    }
}

#[test]
fn the_most_sequences_are_those_that_the_data_can_give() {
    let config = config("", &[]);
    let data = miras_data::open(&config.data, 1).unwrap();
    let error = data.train_batch(0, 0..1_048_577).unwrap_err().to_string();
    assert!(error.contains("rows must be from 1 to 1048576"), "{error}");
}

#[test]
fn data_that_cannot_be_opened_are_shown_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.toml");
    std::fs::write(&file, "[data]\nkind = 'text'\npath = 'no/such/file.txt'\n").unwrap();
    let load = |open: bool| {
        let mut layers = Layers::new();
        layers.file(&file).unwrap();
        if open {
            RunConfig::load_and_open(layers, &Registry::builtin()).map(|_| ())
        } else {
            RunConfig::load(layers, &Registry::builtin()).map(|_| ())
        }
    };
    load(false).unwrap();
    let error = load(true).unwrap_err().to_string();
    for piece in [
        "`no/such/file.txt` does not exist",
        "run.toml:3:8",
        "(data.path)",
    ] {
        assert!(error.contains(piece), "{piece}\n{error}");
    }
}

#[test]
fn a_device_that_is_not_compiled_in_can_be_configured_and_not_opened() {
    for device in miras_device::KNOWN.iter().filter(|known| !known.compiled) {
        let set = format!("train.device={}", device.name);
        let config = config("", &[&set]);
        assert!(miras_device::open(&config.train.device).is_err());
    }
}

/// Configurations of earlier versions, those of stored runs among them, are the same models.
#[test]
fn keys_of_the_mixer_are_read_by_their_old_names() {
    for (old, new) in [
        (
            "[model]\nmixer = 'attention'\nheads = 2\nconv = 1\nconv_activation = 'silu'\nrope_base = 50.0",
            "[mixer]\nkind = 'attention'\nheads = 2\nconv = 1\nconv_activation = 'silu'\n[attention]\nrope_base = 50.0",
        ),
        (
            "[model]\nmixer = 'memory'\nheads = 2\nconv = 0\n[log]\nhparams = ['model.heads']",
            "[mixer]\nheads = 2\nconv = 0\n[log]\nhparams = ['mixer.heads']",
        ),
    ] {
        let (old, new) = (config(old, &[]), config(new, &[]));
        assert_eq!(old.to_table(), new.to_table());
        let set = config("", &["model.heads=2", "model={ conv = 3 }"]);
        assert_eq!(
            (set.model.mixer.keys().heads, set.model.mixer.keys().conv),
            (2, 3)
        );
    }
    let text = "[model]\nheads = 2\n[mixer]\nheads = 2";
    let error = RunConfig::load(layers(text, &[]), &Registry::builtin()).unwrap_err();
    let expected = "`model.heads` is the old name of `mixer.heads`, and both are set";
    assert_eq!(error.message(), expected);
    let known = RunConfig::keys(&Registry::builtin());
    for one in RunConfig::RENAMED {
        assert!(known.contains(&one.new.to_owned()), "{}", one.new);
        assert!(!known.contains(&one.old.to_owned()), "{}", one.old);
    }
}
