//! Files that other programs read.

use serde_json::Value;

use crate::fixture::{Draft, Place, compare, full};

#[test]
fn csv_reads_back() {
    let place = Place::new();
    let comparison = compare(&[full(&place)]);
    let text = comparison.csv().unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 18);
    let cell = |row: &csv::StringRecord, name: &str| {
        row[head.iter().position(|one| one == name).unwrap()].to_owned()
    };
    let first = &rows[0];
    for (name, value) in [
        ("variant", "depth=4 lr=0.003"),
        ("run", "d4-lr0.003-s1"),
        ("status", "finished"),
        ("counted", "true"),
        ("memory.depth", "4"),
        ("tokens", "100000"),
        ("parameters", "50000"),
        ("flops", "30000000000"),
        ("tokens_per_s", "260"),
    ] {
        assert_eq!(cell(first, name), value, "{name}");
    }
    for (name, value) in [
        ("eval/loss", 2.29),
        ("best eval/loss", 2.29),
        ("loss@512", 2.309_531_25),
        ("loss@512/frozen", 2.309_531_25 * 1.1),
    ] {
        let read: f64 = cell(first, name).parse().unwrap();
        assert!((read - value).abs() < 1e-9, "{name}: {read}");
    }
    let failed = rows
        .iter()
        .find(|row| cell(row, "status") == "failed")
        .unwrap();
    assert_eq!(cell(failed, "why_not"), "failed: out of <memory>");
    assert_eq!(cell(failed, "memory.depth"), "4");
    assert_eq!(cell(failed, "eval/loss"), "");
}

#[test]
fn json_reads_back() {
    let place = Place::new();
    let value: Value = serde_json::from_str(&compare(&[full(&place)]).json()).unwrap();
    assert_eq!(value["schema"], "miras_compare");
    assert_eq!(value["version"], 1);
    assert_eq!(value["goal"], "lower");
    let best = &value["variants"][0];
    assert_eq!(best["verdict"], "best");
    assert_eq!(best["n"], 3);
    assert_eq!(best["p"], Value::Null);
    assert_eq!(best["values"]["memory.depth"], 4);
    assert_eq!(best["parameters"], 50_000);
    assert_eq!(best["runs"][2]["seed"], 3);
    assert!((best["mean"].as_f64().unwrap() - 2.3).abs() < 1e-12);
    assert!(value["variants"][1]["p"].as_f64().unwrap() > 0.0);
    assert_eq!(value["failed"][0]["status"], "failed");
}

#[test]
fn markdown_has_a_row_a_variant_and_escapes() {
    let place = Place::new();
    let text = compare(&[full(&place)]).markdown();
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("| depth="))
            .count(),
        // Six variants and what they take, one failed trial, three pairs of rates, six at other
        // lengths.
        22
    );
    assert!(text.contains("out of \\<memory>"));
}

#[test]
fn a_higher_accuracy_is_better() {
    let place = Place::new();
    let paths: Vec<_> = [(1, 0.5), (2, 0.9)]
        .into_iter()
        .map(|(depth, accuracy)| {
            let draft = Draft::new(&format!("r{depth}"), 1, 2.0);
            let mut draft = draft.set("memory.depth", &depth.to_string());
            draft.tail =
                format!("{{\"step\":100,\"tokens\":100000,\"eval/accuracy\":{accuracy}}}\n");
            place.run(&draft)
        })
        .collect();
    let comparison = miras_compare::Comparison::read(&paths, Some("eval/accuracy"), None).unwrap();
    assert_eq!(comparison.variants[0].label, "depth=2");
}

#[test]
fn the_report_needs_nothing_else_and_escapes() {
    let place = Place::new();
    let page = compare(&[full(&place)]).html().unwrap();
    let without = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for outside in ["http", "src=", "href=", "@import", "url(", "<script"] {
        assert!(!without.contains(outside), "{outside}");
    }
    assert!(page.contains("out of &lt;memory&gt;") && !page.contains("<memory>"));
    assert!(page.contains("name = '&lt;depth&gt;'"));
    for part in [
        "Best by eval/loss (lower is better): depth=4 lr=0.003, 2.300 ± 0.010 over 3 seeds.",
        "miras-train sweep &#39;a file.toml&#39;",
        "burn 1.2.3",
        "sha256:aa",
    ] {
        let part = part.replace("&#39;", "'");
        assert!(page.contains(&part), "{part}");
    }
    assert_eq!(
        page.matches("<figure").count(),
        page.matches("</svg>").count()
    );
}

#[test]
fn a_folder_gets_all_files() {
    let place = Place::new();
    let comparison = compare(&[full(&place)]);
    let folder = place.path().join("reports/depth");
    let files = comparison.write(&folder).unwrap();
    assert!(files.iter().all(|file| file.is_file()));
    for name in [
        "results.csv",
        "results.json",
        "results.md",
        "report.html",
        "plots/metric-by-tokens.svg",
    ] {
        assert!(files.contains(&folder.join(name)), "{name}");
    }
    assert_eq!(comparison.write(&folder).unwrap(), files);
}
