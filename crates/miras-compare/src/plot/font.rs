//! The letters: a font that comes with the program, so that no system's is needed.

use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

/// An SVG names this family, and a viewer takes its own.
pub(super) const FAMILY: &str = "sans-serif";

/// Makes the font known, once.
pub(super) fn register() -> Result<(), &'static str> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let is_done = *DONE.get_or_init(|| {
        let letters = epaint_default_fonts::UBUNTU_LIGHT;
        register_font(FAMILY, FontStyle::Normal, letters).is_ok()
    });
    if is_done {
        Ok(())
    } else {
        Err("its font cannot be read")
    }
}
