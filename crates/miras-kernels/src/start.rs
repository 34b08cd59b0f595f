//! What rows recall of the state that their chunk began in, and the adjoint.

use pulp::Simd;

use crate::{
    Scan,
    buffer::Buffer,
    product::{Add, AddScaled, Set, Term, product, times},
    program::Map,
    rows,
    state::State,
};

/// `carry_t z_t A_0 + share_t z_t S_0 [+ z_t A_init]`, a column for each token.
pub(crate) struct Start<'a> {
    map: Map,
    weights: &'a [f32],
    slots: Option<&'a [f32]>,
    anchor: Option<&'a [f32]>,
    carry: &'a [f32],
    share: &'a [f32],
}

/// Gradients at what it is made of; without slots or anchors their fields are unused.
pub(crate) struct StartGradients<'a> {
    pub(crate) carry: &'a mut [f32],
    pub(crate) share: &'a mut [f32],
    pub(crate) weights: &'a mut Buffer,
    pub(crate) slots: Option<&'a mut Buffer>,
    pub(crate) anchor: Option<&'a mut Buffer>,
}

impl<'a> Start<'a> {
    /// Map `l` of a state.
    pub(crate) fn new(
        scan: &Scan,
        l: usize,
        state: &'a State,
        anchors: &'a [Buffer],
        [carry, share]: [&'a [f32]; 2],
    ) -> Self {
        Self {
            map: scan.program.maps[l],
            weights: &state.weights[l],
            slots: state.slots.get(l).map(|slots| &**slots),
            anchor: anchors.get(l).map(|anchor| &**anchor),
            carry,
            share,
        }
    }

    /// Sets `out`, to which the term `also` is added.
    pub(crate) fn forward<S: Simd>(
        &self,
        simd: S,
        out: &mut [f32],
        z: &[f32],
        also: Option<Term<'_>>,
        room: &mut [Buffer; 2],
    ) {
        let size = [out.len() / self.carry.len(), self.carry.len()];
        let [carried, shared] = room.each_mut().map(|room| &mut room[..z.len()]);
        rows::scale_columns(simd, carried, z, self.carry);
        let carried = self.map.forward(self.weights, carried);
        let slots = self.slots.map(|slots| {
            rows::scale_columns(simd, shared, z, self.share);
            self.map.forward(slots, shared)
        });
        let anchor = self.anchor.map(|anchor| self.map.forward(anchor, z));
        let mut terms = [carried; 4];
        let mut count = 1;
        for term in [slots, anchor, also].into_iter().flatten() {
            terms[count] = term;
            count += 1;
        }
        product(simd, size, &terms[..count], &mut Set(out));
    }

    /// From the gradient at what [`forward`](Self::forward) gave: adds those at `z`, to `of_z`, and
    /// at what it is made of.
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        of_out: &[f32],
        z: &[f32],
        of_z: &mut [f32],
        of: StartGradients<'_>,
        room: &mut [Buffer; 2],
    ) {
        let (map, width) = (self.map, self.carry.len());
        let [left, right] = map.sides(z, of_out);
        let [turned, scaled] = room.each_mut().map(|room| &mut room[..right.len()]);
        rows::transpose(simd, turned, right, width);
        let size = [z.len() / width, width];
        for (matrix, by, of_matrix, of_by) in [
            (Some(self.weights), self.carry, Some(of.weights), of.carry),
            (self.slots, self.share, of.slots, of.share),
        ] {
            let (Some(matrix), Some(of_matrix)) = (matrix, of_matrix) else {
                continue;
            };
            let mut sink = AddScaled {
                out: of_z,
                scale: by,
                with: z,
                dots: of_by,
            };
            product(simd, size, &[map.backward(matrix, of_out)], &mut sink);
            rows::scale_rows(simd, scaled, turned, by);
            let term = times((left, width), scaled);
            product(simd, map.size(), &[term], &mut Add(of_matrix));
        }
        if let (Some(anchor), Some(of_anchor)) = (self.anchor, of.anchor) {
            product(simd, size, &[map.backward(anchor, of_out)], &mut Add(of_z));
            let term = times((left, width), turned);
            product(simd, map.size(), &[term], &mut Add(of_anchor));
        }
    }
}
