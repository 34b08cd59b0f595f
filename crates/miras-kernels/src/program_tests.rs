use super::*;

const fn linear(map: usize, x: usize) -> Node {
    Node::Linear { map, x }
}

#[test]
fn features_are_what_enters_the_maps_of_the_output() {
    let kind = Activation::Silu;
    let nodes = [
        linear(0, 0),
        Node::Activation { kind, x: 1 },
        linear(1, 2),
        Node::LayerNorm { gain: 0, x: 3 },
        Node::Sum { a: 4, b: 1 },
    ];
    let program = Program::new(4, &[[4, 4], [4, 4]], &nodes).unwrap();
    assert_eq!(program.features, [2, 0]);
    assert_eq!(program.gains(), [4]);
    assert_eq!(program.learned, [false, true, true, true, true, true]);
    assert!(!program.is_linear());
    assert!(
        Program::new(4, &[[4, 2]], &[linear(0, 0)])
            .unwrap()
            .is_linear()
    );
}

#[test]
fn what_cannot_be_run_is_refused() {
    let sum = Node::Sum { a: 0, b: 1 };
    let norm = Node::LayerNorm { gain: 1, x: 1 };
    for (maps, nodes, message) in [
        (
            &[[4, 2]][..],
            &[linear(0, 1)][..],
            "operation 0 needs value 1 before it is made",
        ),
        (
            &[[4, 2]],
            &[linear(1, 0)],
            "operation 0 needs map 1, which is not there",
        ),
        (
            &[[3, 2]],
            &[linear(0, 0)],
            "map 0 from 3 to 2 is given 4 features",
        ),
        (
            &[[4, 2]],
            &[linear(0, 0), sum],
            "the operands of operation 1 differ in width",
        ),
        (
            &[[4, 2]],
            &[linear(0, 0), norm],
            "operation 1 has gain 1 out of order",
        ),
        (
            &[[4, 4]],
            &[linear(0, 0), linear(0, 1)],
            "map 0 is used 2 times, not once",
        ),
        (&[], &[], "there is no map, so nothing can be learned"),
    ] {
        assert_eq!(
            Program::new(4, maps, nodes).unwrap_err().to_string(),
            message
        );
    }
}
