//! The operation against a slow recurrence in float64.

mod case;
mod exact;
mod formula;
mod reference;
mod scan;
