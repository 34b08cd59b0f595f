//! Parts that do not exist, and parts that do not go together.

use crate::support::Dir;

#[test]
fn unknown_kinds_are_refused_on_every_axis() {
    let dir = Dir::tiny();
    for (axis, kind, meant) in [
        ("memory", "mpl", "mlp"),
        ("bias", "hubert", "huber"),
        ("retention", "nome", "none"),
        ("algorithm", "mommentum", "momentum"),
        ("data", "txt", "text"),
    ] {
        let column = axis.len() + 2;
        let line = format!("{axis}={kind}");
        let carets = " ".repeat(column - 1) + &"^".repeat(kind.len());
        dir.run(&format!("check tiny.toml --set {line}"))
            .refused(&format!(
                "error: unknown {axis} `{kind}`, expected one of [..]
 --> --set:1:{column}  ({axis}.kind)
  |
1 | {line}
  | {carets}
  = help: did you mean `{meant}`?"
            ));
    }
}

#[test]
fn a_deep_memory_has_no_exact_form() {
    Dir::tiny().run("check tiny.toml --set algorithm.form=exact").refused(
        r#"error: there is no exact chunk form for this memory: its gradients depend on weights that change with every token
 --> --set:1:16  (algorithm.form)
  |
1 | algorithm.form=exact
  |                ^^^^^
  = help: use algorithm.form = "chunk_start" (algorithm.picard takes it towards the exact one), or memory.kind = "matrix""#,
    );
}

#[test]
fn decay_before_the_gradient_needs_the_exact_form() {
    Dir::tiny().run("check tiny.toml --set retention.order=before").refused(
        r#"error: with order = "before" each gradient is taken at its token's decayed memory, which the chunk-start form does not have
 --> --set:1:17  (retention.order)
  |
1 | retention.order=before
  |                 ^^^^^^
  = help: use retention.order = "after", or memory.kind = "matrix" with bias.kind = "l2" and algorithm.form = "exact""#,
    );
}

#[test]
fn the_load_cap_does_not_act_on_exact_gradients() {
    Dir::tiny()
        .run("check tiny.toml --set memory=matrix --set algorithm.load_cap=1")
        .refused(
            r#"error: load_cap acts on chunk-start gradients, and this exact form has none
 --> --set:1:20  (algorithm.load_cap)
  |
1 | algorithm.load_cap=1
  |                    ^
  = help: leave load_cap out, or use algorithm.form = "chunk_start""#,
        );
}

#[test]
fn a_deep_hebbian_memory_has_to_forget() {
    Dir::tiny().run("check tiny.toml --set bias=dot --set retention=none").refused(
        r#"error: this bias has no minimum on a deep memory: without decay, norm or state cap it grows for ever
 --> --set:1:6  (bias.kind)
  |
1 | bias=dot
  |      ^^^
  = help: use retention.kind = "l2", memory.norm = true, or bias.kind = "l2""#,
    );
}

#[test]
fn attention_has_no_memory() {
    Dir::tiny()
        .run("check tiny.toml --set mixer.kind=attention")
        .refused(
            r#"error: a model with mixer.kind = "attention" has no [memory]
 --> tiny.toml:6:1  (memory)
  |
6 | [memory]
  | ^^^^^^^^
  = help: leave the table out, or use mixer.kind = "memory""#,
        );
}

#[test]
fn run_and_check_refuse_with_the_same_words() {
    let dir = Dir::tiny();
    for set in [
        "mixer.heads=3",
        "memory=none",
        "bias=dot --set retention=none",
        "train.batch=0",
        "optim.decay_steps=1",
        "eval.controls=[\"nothing\"]",
        "data=text",
    ] {
        let check = dir.run(&format!("check tiny.toml --set {set}")).ended(2);
        let run = dir.run(&format!("run tiny.toml --set {set}")).ended(2);
        assert_eq!(check.err, run.err, "{set}");
    }
}
