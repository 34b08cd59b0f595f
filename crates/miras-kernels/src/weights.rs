//! The weights that a chunk begins with, `Λ([A_init +] A_0)`, and the adjoint.

use pulp::Simd;

use crate::{
    Link, MapFormula, Scan,
    buffer::{Buffer, padded},
    interpreter::Table,
    program::Map,
    rows,
    state::State,
};

/// Of every map.
pub(crate) struct Weights<'a> {
    scan: &'a Scan,
    /// `A_init + A_0`; none if not anchored.
    sums: Vec<Buffer>,
    /// Behind a link that is not the identity; else none.
    linked: Vec<Buffer>,
    values: Vec<MapValues>,
}

impl<'a> Weights<'a> {
    pub(crate) fn new(scan: &'a Scan) -> Self {
        let maps = scan.program.maps.iter();
        let is_linked = scan.link.formula().is_some();
        Self {
            scan,
            sums: scan.anchors(),
            linked: (maps.filter(|_| is_linked))
                .map(|map| map.buffer())
                .collect(),
            values: values(scan),
        }
    }

    /// Those of a state.
    pub(crate) fn compute<S: Simd>(&mut self, simd: S, state: &State, anchors: &[Buffer]) {
        for ((sum, anchor), state) in self.sums.iter_mut().zip(anchors).zip(&state.weights) {
            rows::sum(simd, sum, anchor, state);
        }
        let Some(formula) = self.scan.link.formula() else {
            return;
        };
        let all = self.linked.iter_mut().zip(&mut self.values);
        for (l, (out, values)) in all.enumerate() {
            let argument = argument(self.scan, &self.sums, state, l);
            values.evaluate(simd, formula, argument);
            if let Link::Scale(_) = self.scan.link {
                rows::scaled(simd, out, argument, values.number());
            } else {
                values.store(simd, out);
            }
        }
    }

    /// The weights, where they are those of this state.
    pub(crate) fn of<'b>(&'b self, state: &'b State) -> &'b [Buffer] {
        if !self.linked.is_empty() {
            &self.linked
        } else if self.scan.anchored {
            &self.sums
        } else {
            &state.weights
        }
    }

    /// The scale of map `l`, behind such a link.
    pub(crate) fn scale(&self, l: usize) -> f32 {
        self.values[l].number()
    }

    /// The gradient at the weights of map `l`, `of`, becomes that at `[A_init +] A_0`; `of_scale`
    /// is the gradient at the scale by other ways.
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        l: usize,
        state: &State,
        of: &mut [f32],
        of_scale: f32,
        of_values: &mut [MapValues],
    ) {
        let Some(formula) = self.scan.link.formula() else {
            return;
        };
        let of_values = &mut of_values[l];
        if let Link::Scale(_) = self.scan.link {
            let mut of_scale = of_scale;
            rows::add_dot(
                simd,
                &mut of_scale,
                of,
                argument(self.scan, &self.sums, state, l),
            );
            of_values.begin(of_scale);
            rows::scale(simd, of, self.scale(l));
        } else {
            of_values.load(simd, of);
            of.fill(0.0);
        }
        of_values.backward(simd, formula, &self.values[l], of);
    }
}

/// What the link of map `l` acts on.
fn argument<'a>(scan: &Scan, sums: &'a [Buffer], state: &'a State, l: usize) -> &'a [f32] {
    if scan.anchored {
        &sums[l]
    } else {
        &state.weights[l]
    }
}

/// Room for the values of the link's formula over every map; none where there is no formula.
pub(crate) fn values(scan: &Scan) -> Vec<MapValues> {
    let maps = scan.program.maps.iter();
    let formula = scan.link.formula().into_iter();
    formula
        .flat_map(|formula| maps.clone().map(|map| MapValues::new(formula, *map)))
        .collect()
}

/// The values of a formula over one map, or the gradients at these.
pub(crate) struct MapValues {
    values: Vec<Buffer>,
    table: Table,
    /// The map the other way round, where the formula has rows and they do not lie in columns.
    turned: Option<Buffer>,
}

impl MapValues {
    fn new(formula: &MapFormula, map: Map) -> Self {
        let turns = formula.has_rows() && !map.is_turned();
        let [rows, columns] = if turns || map.is_turned() {
            [map.d_out, map.d_in]
        } else {
            [map.d_in, map.d_out]
        };
        Self {
            values: formula.operations.values(rows, columns),
            table: Table {
                rows,
                columns,
                width: padded(columns),
                row_length: map.d_out,
            },
            turned: turns.then(|| map.buffer()),
        }
    }

    fn evaluate<S: Simd>(&mut self, simd: S, formula: &MapFormula, x: &[f32]) {
        let x = match &mut self.turned {
            Some(turned) => {
                rows::transpose(simd, turned, x, x.len() / self.table.width);
                turned
            }
            None => x,
        };
        let (operations, values) = (&formula.operations, &mut self.values);
        operations.evaluate(simd, values, self.table, |_| x);
    }

    /// The last value, of a formula that gives one number.
    fn number(&self) -> f32 {
        self.last()[0]
    }

    fn last(&self) -> &[f32] {
        self.values.last().expect("a formula has a value")
    }

    /// The last value as a map, whose padding is 0.
    fn store<S: Simd>(&mut self, simd: S, out: &mut [f32]) {
        let Table { columns, width, .. } = self.table;
        let last = self.values.last().expect("a formula has a value");
        let into = match &mut self.turned {
            Some(turned) => turned,
            None => &mut *out,
        };
        into[..last.len()].copy_from_slice(last);
        rows::clear_columns(into, columns, width);
        if let Some(turned) = &self.turned {
            rows::transpose(simd, out, turned, width);
        }
    }

    /// Gradients of 0, but for that at the last value, which is one number.
    fn begin(&mut self, of: f32) {
        self.values.iter_mut().for_each(Buffer::clear);
        let last = self.values.last_mut().expect("a formula has a value");
        last[0] = of;
    }

    /// Gradients of 0, but for that at the last value, a map.
    fn load<S: Simd>(&mut self, simd: S, of: &[f32]) {
        self.values.iter_mut().for_each(Buffer::clear);
        let of = match &mut self.turned {
            Some(turned) => {
                rows::transpose(simd, turned, of, of.len() / self.table.width);
                turned
            }
            None => of,
        };
        let last = self.values.last_mut().expect("a formula has a value");
        let len = last.len();
        last.copy_from_slice(&of[..len]);
    }

    /// From the gradient at the last value: adds that at the argument to `of_x`. `at` are the values.
    fn backward<S: Simd>(&mut self, simd: S, formula: &MapFormula, at: &Self, of_x: &mut [f32]) {
        let Self {
            values,
            table,
            turned,
        } = self;
        let into = match turned {
            Some(turned) => {
                rows::transpose(simd, turned, of_x, of_x.len() / table.width);
                turned
            }
            None => &mut *of_x,
        };
        let operations = &formula.operations;
        operations.backward(simd, values, &at.values, *table, |_, d| {
            rows::add(simd, &mut into[..d.len()], d);
        });
        rows::clear_columns(into, table.columns, table.width);
        if let Some(turned) = turned {
            rows::transpose(simd, of_x, turned, table.width);
        }
    }
}
