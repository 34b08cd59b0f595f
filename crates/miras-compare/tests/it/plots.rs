//! Every plot that there are data for.

use crate::fixture::{Draft, Place, compare, full};

#[test]
fn every_kind_of_plot_is_there() {
    let place = Place::new();
    let comparison = compare(&[full(&place)]);
    let names: Vec<String> = comparison
        .plots()
        .iter()
        .map(|plot| plot.name().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "metric-by-tokens",
            "metric-by-flops",
            "metric-by-seconds",
            "metric-by-memory-depth",
            "metric-by-optim-lr",
            "loss-by-position",
            "loss-by-length",
            "accuracy-by-pairs",
            // There is none of the norms of states, which are infinite.
            "memory-surprise",
        ]
    );
}

#[test]
fn svg_is_well_formed_and_has_its_text() {
    let place = Place::new();
    for plot in compare(&[full(&place)]).plots() {
        let svg = plot.svg().unwrap();
        let tree = roxmltree::Document::parse(&svg).unwrap();
        let root = tree.root_element();
        assert_eq!(root.attribute("width"), Some("920"), "{}", plot.name());
        assert_eq!(root.attribute("aria-label"), Some(plot.title()));
        let texts: Vec<_> = tree
            .descendants()
            .filter_map(|node| node.text())
            .map(str::trim)
            .collect();
        assert!(texts.contains(&plot.title()), "{texts:?}");
        assert!(
            root.descendants()
                .filter(|node| node.has_tag_name("polyline"))
                .count()
                > 6
        );
    }
}

#[test]
fn labels_with_marks_of_xml_do_not_break_pictures() {
    let place = Place::new();
    let draft =
        |kind: &str, at: &str| Draft::new(at, 1, 2.0).set("memory.kind", &format!("'{kind}'"));
    let comparison = compare(&[
        place.run(&draft("<a> & \"b\"", "x")),
        place.run(&draft("é\t", "y")),
    ]);
    for plot in comparison.plots() {
        roxmltree::Document::parse(&plot.svg().unwrap()).unwrap();
    }
    comparison.html().unwrap();
}

#[test]
fn more_variants_than_can_be_told_apart_are_left_out_and_counted() {
    let place = Place::new();
    let paths: Vec<_> = (0..15)
        .map(|depth| {
            let draft = Draft::new(&format!("r{depth}"), 1, 2.0 + f64::from(depth));
            place.run(&draft.set("memory.depth", &depth.to_string()))
        })
        .collect();
    let plots = compare(&paths).plots();
    let svg = plots[0].svg().unwrap();
    assert!(svg.contains("the last 3 of the table are left out"));
    assert!(svg.contains("depth=11") && !svg.contains("depth=12"));
}

#[test]
fn long_labels_are_set_in_two_lines() {
    let place = Place::new();
    let draft = |name: &str, depth: &str| {
        Draft::new(name, 1, 2.0)
            .set("memory.depth", depth)
            .set("memory.kind", &format!("'a_memory_of_long_name_{depth}'"))
            .set("model.ffn_dim", "500")
            .set("model.mixer_of_tokens", "'one_long_word'")
    };
    let paths = [
        place.run(&draft("a", "1")),
        place.run(&draft("b", "2")),
        place.run(&draft("c", "2").set("model.mixer_of_tokens", "'one_more_word'")),
    ];
    let svg = compare(&paths).plots()[0].svg().unwrap();
    assert!(svg.contains("\nmemory=a_memory_of_long_name_1\n"), "{svg}");
    assert!(svg.contains("\nmixer_of_tokens=one_more_word\n"), "{svg}");
}
