//! The report: one file with everything in it, for any browser.

mod answer;
mod origin;
mod settings;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::CompareError;
use crate::comparison::Comparison;
use crate::plot::Plot;

const STYLE: &str = include_str!("html/style.css");

impl Comparison {
    /// The report as one HTML file. It needs no other file, no network and no script.
    pub fn html(&self) -> Result<String, CompareError> {
        self.html_with(&self.plots())
    }

    pub(crate) fn html_with(&self, plots: &[Plot]) -> Result<String, CompareError> {
        let title = title(self);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (title) }
                    p.answer { (answer::answer(self)) }
                    (tables::variants(self))
                    (tables::warnings(self))
                    (tables::notes(self))
                    (tables::more(self))
                    (tables::excluded(self))
                    h2 { "Plots" }
                    @for plot in plots { (figure(plot)?) }
                    (settings::differing(self))
                    (settings::common(self))
                    (settings::each(self))
                    (origin::sweeps(self))
                    (origin::commands(self))
                    (origin::data(self))
                    (origin::starts(self))
                }
            }
        };
        Ok(page.into_string())
    }
}

fn title(comparison: &Comparison) -> String {
    let sweeps: Vec<&str> = comparison
        .sweeps
        .iter()
        .map(|sweep| sweep.name.as_str())
        .collect();
    let what = if sweeps.is_empty() {
        crate::table::number::count(comparison.runs().count(), "run")
    } else {
        sweeps.join(", ")
    };
    format!("{what}, compared by {}", comparison.metric)
}

fn figure(plot: &Plot) -> Result<Markup, CompareError> {
    // The drawing's own text is escaped where it is drawn.
    let svg = PreEscaped(plot.svg()?);
    Ok(html! { figure id=(plot.name()) { (svg) } })
}
