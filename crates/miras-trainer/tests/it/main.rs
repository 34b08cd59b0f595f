//! Small runs from start to end.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

mod accumulate;
mod best;
mod carry;
mod controls;
mod devices;
mod effects;
mod effects_of_data;
mod effects_of_parts;
mod effects_of_tasks;
mod evaluating;
mod hybrid;
mod init;
mod lengthened;
mod limits;
mod measured;
mod metrics;
mod nonfinite;
mod presets;
mod resume;
mod support;
mod tokens;
mod values;
