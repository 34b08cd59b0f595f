//! The chunk loop as one operation, against the one on tensors.

use burn::tensor::{DType, Device};
use miras_contract::{
    D, FORMS, Inputs, LARGEST, Size, cases, check_case, largest_gap, placed, run_dual,
};
use miras_engine::is_fused;
use miras_registry::Registry;

/// Five chunks of three, of which the backward pass computes some again, and an open one.
const SIZE: Size = Size {
    memories: 3,
    d_k: D,
    d_v: D,
    tokens: 17,
};

/// Pieces that leave a chunk open, fill it and go on.
const PIECES: [usize; 4] = [4, 1, 8, 4];

#[test]
fn over_many_chunks_and_in_pieces_it_is_the_loop_on_tensors() {
    let registry = Registry::builtin();
    let cpu = Device::flex().autodiff();
    // Where rounding grows so much over these tokens that float32 says nothing.
    let (mut fused, mut chaotic) = (0, 0);
    let all = FORMS.iter().flat_map(|form| cases(&registry, form));
    for case in all {
        let inputs = Inputs::sized(&case.rule, SIZE);
        if !is_fused(&case.rule, &inputs.initial.program, SIZE.tokens) {
            continue;
        }
        fused += 1;
        // In float64 there are tensors alone.
        let on_tensors = |rule: &_, inputs: &_| run_dual(rule, inputs, &[]);
        let found = check_case(&case, SIZE, on_tensors, &Device::flex());
        if !found.is_rounding() {
            assert!(found.tolerance >= LARGEST, "{found:?}");
            chaotic += 1;
            continue;
        }
        let here = inputs.map(|x| placed(&x, (&cpu, DType::F32)));
        let in_pieces = run_dual(&case.rule, &here, &PIECES);
        let gap = largest_gap(&in_pieces, &run_dual(&case.rule, &inputs, &PIECES));
        assert!(gap.size < found.tolerance, "{}: {gap:?}", case.name);
    }
    assert!(
        fused > 100 && 100 * chaotic < fused,
        "{fused} cases, {chaotic} of them chaotic"
    );
}
