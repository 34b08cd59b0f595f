//! The operation against a slow recurrence in float64.

mod case;
mod reference;
mod scan;
