//! The operation against a slow recurrence in float64.

mod case;
mod formula;
mod reference;
mod scan;
