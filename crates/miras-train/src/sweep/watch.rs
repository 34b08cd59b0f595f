//! One display for all trials of a sweep.

use std::io::{self, IsTerminal as _};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use miras_log::ProgressMode;
use miras_sweep::{Event, EventKind, SweepFolder, Tally, Task, Trial, Watch};

use super::listing::trials;
use crate::out::eprint_line;

/// Bars on a terminal, a line for each end elsewhere.
pub(crate) struct Display {
    bars: Option<Bars>,
    is_quiet: bool,
    metric: String,
}

struct Bars {
    screen: MultiProgress,
    all: ProgressBar,
    jobs: Vec<ProgressBar>,
}

impl Display {
    pub(crate) fn new(progress: ProgressMode, folder: &SweepFolder, jobs: usize) -> Self {
        let is_bar = match progress {
            ProgressMode::Auto => io::stderr().is_terminal(),
            ProgressMode::Bar => true,
            ProgressMode::Plain | ProgressMode::Quiet => false,
        };
        let plan = folder.plan();
        Self {
            bars: is_bar.then(|| Bars::new(plan.trials.len(), jobs)),
            is_quiet: progress == ProgressMode::Quiet,
            metric: plan.metric.clone(),
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bars) = &self.bars {
            for bar in &bars.jobs {
                bar.finish_and_clear();
            }
            bars.all.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bars {
            _ if self.is_quiet => {}
            Some(bars) => {
                // A line that cannot be shown is no reason to stop.
                let _ = bars.screen.println(text);
            }
            None => eprint_line(text),
        }
    }
}

impl Bars {
    fn new(trials: usize, jobs: usize) -> Self {
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let screen = MultiProgress::new();
        let all = screen.add(ProgressBar::new(trials as u64));
        all.set_style(style(
            "{bar:24} {pos}/{len} trials  {msg}  {elapsed_precise}",
        ));
        let jobs = (0..jobs)
            .map(|_| {
                let bar = screen.add(ProgressBar::new(1));
                bar.set_style(style("{bar:24} step {pos}/{len}  {msg}"));
                bar
            })
            .collect();
        Self { screen, all, jobs }
    }
}

impl Watch for Display {
    fn started(&self, job: usize, trial: &Trial, task: Task) {
        if let Some(bars) = &self.bars {
            let bar = &bars.jobs[job];
            bar.set_length(trial.steps[task.rung]);
            bar.set_position(0);
            bar.set_message(trial.name.clone());
        }
    }

    fn progressed(&self, job: usize, _: &Trial, steps: u64) {
        if let Some(bars) = &self.bars {
            bars.jobs[job].set_position(steps);
        }
    }

    fn waiting(&self, count: usize) {
        let what = trials(count);
        self.line(&format!("waiting for {what} that other processes are at"));
    }

    fn ended(&self, job: usize, trial: &Trial, event: &Event, tally: Tally) {
        let outcome = match (event.event, event.metric) {
            (EventKind::Done, Some(metric)) => format!("{} {metric:.4}", self.metric),
            (EventKind::Failed, _) => {
                format!("failed: {}", event.reason.as_deref().unwrap_or_default())
            }
            (EventKind::Killed, _) => event.reason.clone().unwrap_or_default(),
            (EventKind::Interrupted, _) => match &event.reason {
                Some(why) => format!("interrupted: {why}"),
                None => "interrupted, saved".to_owned(),
            },
            _ => String::new(),
        };
        let Tally { done, failed, all } = tally;
        self.line(&format!(
            "{:>5}/{all}  {}  {outcome}",
            done + failed,
            trial.name
        ));
        if let Some(bars) = &self.bars {
            bars.all.set_position((done + failed) as u64);
            bars.all.set_message(if failed > 0 {
                format!("{failed} failed")
            } else {
                String::new()
            });
            bars.jobs[job].set_message(String::new());
        }
    }
}
