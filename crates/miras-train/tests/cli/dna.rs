//! Nucleotides: a genome is trained on, evaluated, gone on with and exported.

use std::fs;

use serde_json::Value;

use crate::support::Dir;

const SMALL: &str = "--set model.dim=16 --set model.layers=1 --set model.ffn_dim=32 --set data.seq_len=32 \
    --set train.batch=2 --set optim.warmup=1 --set eval.every=2 --set eval.tokens=64 --set checkpoint.every=2";

/// A genome of two sequences, with a repeat in lower case and a gap.
pub(crate) fn genome() -> String {
    let mut state = 7_u32;
    let mut base = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b"ACGT"[(state >> 30) as usize])
    };
    let [one, two]: [String; 2] = [1700, 1500].map(|count| (0..count).map(|_| base()).collect());
    format!(
        ">chr1\n{one}\nNNNNNNNN\n{}\n>chr2\n{two}\n",
        one[..60].to_lowercase()
    )
}

#[test]
fn presets_train_exactly_resume_and_measure_bits_a_base() {
    for preset in ["titans-lmm", "conv"] {
        let dir = Dir::new();
        dir.file("genome.fa", genome());
        let run = |name: &str, steps: usize| {
            dir.run(&format!(
                "run dna/{preset} --name {name} {SMALL} --set train.steps={steps}"
            ))
            .done()
        };
        let said = run("whole", 4);
        let said = said.out + &said.err;
        assert!(said.contains("8 letters of `genome.fa`"), "{said}");
        run("parts", 2);
        dir.run("run --name parts --resume --set train.steps=4")
            .done();
        for file in ["model.safetensors", "optimizer.bpk"] {
            let read = |run: &str| {
                let path = format!("runs/{run}/checkpoints/step-00000004/{file}");
                fs::read(dir.at(&path)).unwrap()
            };
            assert!(read("whole") == read("parts"), "{preset}: {file}");
        }
        let lines = dir.read("runs/whole/metrics.jsonl");
        for tag in ["train", "eval"] {
            let number = |line: &Value, name: &str| line[format!("{tag}/{name}")].as_f64();
            let found = lines.lines().filter_map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                Some((number(&line, "loss")?, number(&line, "bits_per_base")?))
            });
            let found: Vec<_> = found.collect();
            assert!(!found.is_empty());
            for (loss, bits) in found {
                assert!((bits - loss / std::f64::consts::LN_2).abs() < 1e-9);
            }
        }
        assert!(!lines.contains("bits_per_byte"));
    }
}

#[test]
fn a_trained_genome_is_used_by_every_command_of_text() {
    let dir = Dir::new();
    dir.file("genome.fa", genome());
    dir.run(&format!(
        "run dna/titans-lmm --name tiny {SMALL} --set train.steps=2 --set log.samples=['ACG']"
    ))
    .done();
    let report = dir.run("eval tiny --json --tokens all").done().out;
    let report: Value = serde_json::from_str(&report).unwrap();
    let (loss, bits) = (report["loss"].as_f64(), report["bits_per_base"].as_f64());
    assert!((bits.unwrap() - loss.unwrap() / std::f64::consts::LN_2).abs() < 1e-9);
    assert_eq!(report["bits_per_byte"], Value::Null);
    assert!(dir.run("eval tiny").done().out.contains("bits/base"));
    dir.file("other.fa", ">x\nACGTACGTACGTACGTACGTACGTACGTACGTACGTACGT\n");
    dir.run("eval tiny --data other.fa").done();
    dir.run("eval tiny --data other.fa --set data.seq_len=8")
        .refused(
            "error: `--set data.seq_len=8` changes the run's own data: leave it or --data out",
        );
    dir.file("protein.fa", ">x\nMKVLAT\n");
    dir.run("eval tiny --data protein.fa").refused(
        "error: --data: line 2 of `protein.fa` has `L` in column 4, which is no IUPAC code of a nucleotide [..] but one of an amino acid: only DNA and RNA are read",
    );
    let written = dir
        .run("generate tiny acgt --tokens 30 --no-echo")
        .done()
        .out;
    let is_letter = |letter: char| "ACGTRYSWKMBDHVN\n".contains(letter);
    assert!(
        !written.is_empty() && written.chars().all(is_letter),
        "{written:?}"
    );
    dir.run("generate tiny Tom")
        .refused("error: the tokens are nucleotides, and at byte 1 of the text is[..]");
    dir.run("tokenizer tiny --out tokenizer").refused(
        "error: the tokens of run `tiny` are nucleotides, for which other programs have no form[..]",
    );
    dir.run("export tiny --out model").done();
    fs::remove_file(dir.at("genome.fa")).unwrap();
    dir.run("generate model ACGT --tokens 3").done();
    dir.run("eval model --data other.fa").done();
}

#[test]
fn mistakes_name_the_key_and_the_line() {
    let dir = Dir::new();
    dir.file("a.fa", ">a\nACGT\nMKVL\n");
    dir.run("check dna/conv --set data.path=a.fa")
        .refused("error: path: line 3 of `a.fa` has `L` in column 4, which is no IUPAC code[..]\n[..](data.path)[..]");
    dir.run("check dna/conv")
        .refused("error: path: `genome.fa` does not exist[..](data.path)[..]");
    dir.run("check --set data.kind=fasta")
        .refused("error: data.path: must name a FASTA file, a folder or a pattern[..]");
    dir.run("check --set data.kind=fastq --set data.path=a.fa")
        .refused("error: unknown data `fastq`[..]seqtk seq -A[..]");
    dir.run("check dna/conv --set data.soft_masked=skip")
        .refused("error: unknown value `skip`, expected `scored` or `unscored`[..]");
}
