//! Nucleotides of FASTA files: what is read of them, what counts, and what is refused.

use miras_data::{
    DataConfig, DataError, Dataset, FastaConfig, SoftMasked, Tokenizer, TokenizerFiles, open,
    open_held_out_fasta,
};

use crate::support::{Place, bases, evaluated, gz, trained, whole_evaluation, zst};

/// What each token is written as.
const LETTERS: &[u8; 16] = b"\nACGTRYSWKMBDHVN";

fn config(place: &Place, names: &[&str]) -> FastaConfig {
    FastaConfig {
        path: place.paths(names),
        seq_len: 4,
        valid_fraction: Some(0.5),
        ..FastaConfig::default()
    }
}

fn opened(config: &FastaConfig) -> Result<Box<dyn Dataset>, DataError> {
    open(&DataConfig::Fasta(config.clone()), 1)
}

fn spelled(tokens: &[i32]) -> String {
    let letters = tokens.iter().map(|&token| LETTERS[token as usize] as char);
    letters.collect()
}

#[test]
fn letters_are_tokens_whatever_their_case_lines_and_files() {
    let place = Place::new(&[
        ("in/1.fa", b">a one\r\nAC gt".as_slice()),
        (
            "in/2.fa.gz",
            &gz(b"\n>b\nacgu\nRYSWKMBDHVN\n\n>empty\n>c\nTT"),
        ),
        ("in/3.fna.zst", &zst(b">d\n  GATTACA  \n>also empty\n")),
    ]);
    // A blank inside of a line is no letter.
    let error = opened(&config(&place, &["in"])).err().unwrap().to_string();
    assert!(error.ends_with("1.fa` has a blank in column 3, which is no IUPAC code of a nucleotide (A C G T U R Y S W K M B D H V N)"), "{error}");
    std::fs::write(place.path("in/1.fa"), ">a one\r\nAC\r\ngt").unwrap();
    let config = FastaConfig {
        valid_path: Some(place.paths(&["in/3.fna.zst"])),
        valid_fraction: None,
        path: place.paths(&["in/1.fa", "in/2.fa.gz"]),
        ..config(&place, &[])
    };
    let data = opened(&config).unwrap();
    assert_eq!(data.vocab(), LETTERS.len());
    let text = "ACGT\nACGTRYSWKMBDHVN\nTT";
    // The stretch has whole rows, and a target behind the last one.
    let whole = (text.len() - 1) / 4 * 4;
    assert_eq!(spelled(&trained(data.as_ref())), text[..whole]);
    let read: Vec<i32> = whole_evaluation(data.as_ref(), 2)
        .iter()
        .flat_map(|batch| batch.inputs.clone())
        .collect();
    assert_eq!(spelled(&read[..6]), "GATTAC");
    assert_eq!(spelled(&evaluated(data.as_ref())), "ATTACA");
    let found = data.describe();
    assert_eq!(found.train_bytes, Some(text.len() as u64));
    assert_eq!((found.valid_bytes, found.file_count), (Some(7), 3));
    assert_eq!(found.tokenizer, None);
    let notes = found.notes.join("\n");
    for note in [
        "1 of the 4 sequences of",
        "1 of the 2 sequences of",
        "11 letters of",
        "codes such as N for one of several bases: they are read and not predicted",
        "6 bases of",
        "are in lower case, and predicted as all others (data.soft_masked)",
    ] {
        assert!(notes.contains(note), "{note}\n{notes}");
    }
    // Files and line ends are no part of the data.
    std::fs::write(
        place.path("whole.fa"),
        text.replace('\n', "\n>\n").replacen("AC", ">\nAC", 1),
    )
    .unwrap();
    let same = FastaConfig {
        path: place.paths(&["whole.fa"]),
        ..config
    };
    let mut cased = opened(&same).unwrap().describe();
    assert_ne!(
        cased.fingerprint, found.fingerprint,
        "the case is of the data"
    );
    std::fs::write(
        place.path("whole.fa"),
        ">\nACgt\n>\nacgu\nRYSWKMBDHVN\n>\nTT\n",
    )
    .unwrap();
    cased = opened(&same).unwrap().describe();
    assert_eq!(cased.fingerprint, found.fingerprint);
}

#[test]
fn bases_count_and_nothing_else_does() {
    let place = Place::new(&[("a.fa", b">a\nACGTNNacgtRA\n>b\nTTgg".as_slice())]);
    for (soft_masked, expected) in [
        (SoftMasked::Scored, "CGTacgtATTgg"),
        (SoftMasked::Unscored, "CGTATT"),
    ] {
        let config = FastaConfig {
            soft_masked,
            ..config(&place, &["a.fa"])
        };
        let data = open_held_out_fasta(&config).unwrap();
        let found = spelled(&evaluated_weighed(data.as_ref()));
        assert_eq!(found, expected.to_uppercase());
        assert_eq!(data.bytes_of(1), 0);
    }
}

/// The targets that count, in whole rows of the held-out part.
fn evaluated_weighed(data: &dyn Dataset) -> Vec<i32> {
    let batches = whole_evaluation(data, 3);
    let scored = batches.iter().flat_map(|batch| {
        let pairs = batch.targets.iter().zip(&batch.weights);
        pairs.filter(|(_, weight)| **weight > 0.5)
    });
    scored.map(|(target, _)| *target).collect()
}

#[test]
fn rows_of_a_gap_are_drawn_again() {
    let gap = "N".repeat(4000);
    let file = format!(">a\n{gap}ACGTAC{gap}\n>b\nACGTACGTAC\n");
    let place = Place::new(&[("a.fa", file.as_bytes())]);
    let mut config = config(&place, &["a.fa"]);
    config.valid_path = Some(place.paths(&["b.fa"]));
    config.valid_fraction = None;
    std::fs::write(place.path("b.fa"), ">b\nACGTTGCA\n").unwrap();
    config.seq_len = 256;
    let error = opened(&config).err().unwrap();
    assert_eq!(error.field(), Some("seq_len"));
    std::fs::write(place.path("b.fa"), bases(300)).unwrap();
    let data = opened(&config).unwrap();
    let batch = data.train_batch(3, 0..50).unwrap();
    for weights in batch.weights.chunks(256) {
        assert!(weights.contains(&1.0));
    }
    // A row does not depend on the others of its step.
    let again = data.train_batch(3, 20..21).unwrap();
    assert_eq!(again.inputs, batch.inputs[20 * 256..21 * 256]);
}

#[test]
fn what_is_no_fasta_is_refused_with_file_and_line() {
    let codes = "which is no IUPAC code of a nucleotide (A C G T U R Y S W K M B D H V N)";
    let amino = format!("{codes} but one of an amino acid: only DNA and RNA are read");
    let header = "a FASTA file has a line with `>` and a name before the letters of each sequence";
    let packed = gz(b">a\nACGT\n");
    let cases: [(&[u8], String); 12] = [
        (b">a\nACGT\n\nACE", format!("path: line 4 of `DIR/a.fa` has `E` in column 3, {amino}")),
        (b">a\n AC7T\n", format!("path: line 2 of `DIR/a.fa` has `7` in column 4, {codes}")),
        (b">a\nAC\0T\n", format!("path: line 2 of `DIR/a.fa` has the byte 0x00 in column 3, {codes}")),
        (b">a\nAC--T\n", "path: line 2 of `DIR/a.fa` has `-` in column 3, a gap of an alignment: take the gaps out".to_owned()),
        (b"\nACGT\n", format!("path: line 2 of `DIR/a.fa` does not begin with `>`: {header}")),
        (b"@read\nACGT\n+\nIIII\n", "path: line 1 of `DIR/a.fa` does not begin with `>`: it may be FASTQ, of which `seqtk seq -A` makes FASTA".to_owned()),
        (&packed, "path: line 1 of `DIR/a.fa` is gzip: give the file a name that ends in .gz".to_owned()),
        (b"", "path: `DIR/a.fa` is empty: there is nothing to train on".to_owned()),
        (b">a\n>b\n", "path: `DIR/a.fa` is empty: there is nothing to train on".to_owned()),
        (b">a\nNNNNNNNNNNNNNN\n", "path: the training part has no A, C, G, T or U to predict".to_owned()),
        (b">a\nACGTACGTNNNNNNNN\n", "path: the validation part has no A, C, G, T or U to predict".to_owned()),
        (b">a\nACGT\n", "the training part has 2 letters, but seq_len = 4 needs at least 5: use seq_len = 1 or less, or give more text".to_owned()),
    ];
    for (file, expected) in cases {
        let place = Place::new(&[("a.fa", file)]);
        let error = opened(&config(&place, &["a.fa"])).err().unwrap();
        let folder = place.path("");
        let found = error
            .to_string()
            .replace(folder.trim_end_matches('/'), "DIR");
        assert_eq!(found, expected);
    }
    let place = Place::new(&[("a.fa", b">a\nACGTACGTAC\n"), ("b.fa", b">b\nACGT\nACGTAC")]);
    let config = FastaConfig {
        valid_path: Some(place.paths(&["b.fa"])),
        valid_fraction: None,
        ..config(&place, &["a.fa"])
    };
    let error = opened(&config).err().unwrap();
    assert!(matches!(error, DataError::Copied { .. }), "{error}");
}

#[test]
fn the_tokenizer_of_bases_spells_sequences_and_is_stored_without_files() {
    let tokenizer = Tokenizer::open("bases").unwrap();
    let tokens = tokenizer.encode(b"\nACGTRYSWKMBDHVN").unwrap();
    assert_eq!(tokens, (0..16).collect::<Vec<_>>());
    assert_eq!(tokenizer.decode(&tokens), LETTERS);
    assert_eq!(
        tokenizer.decode(&tokenizer.encode(b"acgun").unwrap()),
        b"ACGTN"
    );
    let error = tokenizer.encode(b"ACGT hello").unwrap_err().to_string();
    assert_eq!(
        error,
        "the tokens are nucleotides, and at byte 4 of the text is a blank, which is no IUPAC code of a nucleotide (A C G T U R Y S W K M B D H V N)"
    );

    let place = Place::new(&[("text.txt", "ACGT".repeat(50).as_bytes())]);
    let saved = TokenizerFiles::read("bases").unwrap();
    assert_eq!((saved.files.len(), &saved.fingerprint), (1, &None));
    for (name, content) in &saved.files {
        std::fs::write(place.path(name), content).unwrap();
    }
    let folder = place.path("");
    let again = Tokenizer::open(&folder).unwrap();
    assert_eq!((again.vocab(), again.is_bytes()), (16, false));
    assert_eq!(TokenizerFiles::read(&folder).unwrap().files, saved.files);
    // Text is bytes or tokens of text.
    for setting in ["bases", &folder] {
        let mut config = place.config(&["text.txt"]);
        config.tokenizer = setting.to_owned();
        let error = place.open(&config, 1).err().unwrap();
        assert_eq!(error.field(), Some("tokenizer"));
        assert!(
            error.to_string().contains("data.kind = \"fasta\""),
            "{error}"
        );
    }
}
