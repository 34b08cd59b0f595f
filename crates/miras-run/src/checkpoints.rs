//! The checkpoints of a run.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::error::{Damaged, Fault, Result, RunError};
use crate::files::{is_taken, sync_folder};
use crate::folder::RunFolder;
use crate::layout;
use crate::lock::Lock;
use crate::manifest::{self, CheckpointInfo, Goal, Manifest};
use crate::policy::{self, Candidate, Policy};
use crate::summary::Best;

/// The checkpoints of a run, in `checkpoints/step-00000020/` and so on.
///
/// Made from a locked [`RunFolder`], it shares the lock and can save.
#[derive(Debug)]
pub struct Checkpoints {
    run: PathBuf,
    root: PathBuf,
    policy: Policy,
    lock: Option<Lock>,
    /// Steps whose unreadable manifests were already reported.
    reported: BTreeSet<u64>,
}

/// A checkpoint whose files were compared with its manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Optimizer steps done.
    pub step: u64,
    /// The folder with its files.
    pub path: PathBuf,
    /// Its description by the trainer.
    pub manifest: Manifest,
}

/// The checkpoint that was found, and those that were skipped.
#[derive(Debug)]
pub struct Found {
    /// The checkpoint, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// Damaged checkpoints that were skipped, newest first; the user should be warned.
    pub skipped: Vec<Damaged>,
    /// For the best checkpoint: an evaluation of the run that is better than that of any existing
    /// checkpoint.
    pub missed: Option<Best>,
    run: PathBuf,
}

impl From<Checkpoint> for Found {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            run: checkpoint.path.clone(),
            checkpoint: Some(checkpoint),
            skipped: Vec::new(),
            missed: None,
        }
    }
}

impl Found {
    /// The checkpoint, or an error that says why there is none.
    pub fn require(self) -> Result<Checkpoint> {
        let Self {
            checkpoint,
            skipped,
            run,
            ..
        } = self;
        checkpoint.ok_or(RunError::NoCheckpoint { path: run, skipped })
    }
}

/// The result of reading a checkpoint that another process may remove or replace.
enum Look<T> {
    Whole(T),
    Damaged(Damaged),
    /// It was removed.
    Gone,
}

/// How often checkpoints are read again while another process replaces them.
const MAX_READS: u32 = 100;
/// How often a folder without checkpoints is listed again.
const EMPTY_READS: u32 = 3;
/// The pause between these attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// The result of a save.
#[derive(Debug)]
pub struct Saved {
    /// The new checkpoint.
    pub path: PathBuf,
    /// Its size, without the manifest.
    pub bytes: u64,
    /// Steps whose checkpoints were removed by the [`Policy`], ascending.
    pub pruned: Vec<u64>,
    /// Checkpoints that are kept because their manifests cannot be read, so one of them may be the
    /// best; each is reported once.
    pub unreadable: Vec<Damaged>,
    /// Why old files could not be removed. The new checkpoint is safe, so this is only a warning.
    pub not_pruned: Option<RunError>,
}

impl Checkpoints {
    /// The checkpoints of a run; does not access the disk.
    pub fn new(folder: &RunFolder, policy: Policy) -> Self {
        Self {
            run: folder.path().to_owned(),
            root: folder.checkpoints_path(),
            policy,
            lock: folder.lock().cloned(),
            reported: BTreeSet::new(),
        }
    }

    /// Saves a checkpoint: `write` puts its files (and folders) into the given empty folder.
    ///
    /// Files are flushed and hashed, a manifest is added, and only then the checkpoint takes
    /// its final name. If that step was saved before, the new one replaces it. Afterwards the
    /// [`Policy`] is applied. On an error the earlier checkpoints are unchanged.
    pub fn save<E>(
        &mut self,
        step: u64,
        write: impl FnOnce(&Path) -> Result<(), E>,
        info: &CheckpointInfo,
    ) -> Result<Saved>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        if self.lock.is_none() {
            return Err(RunError::ReadOnly {
                path: self.run.clone(),
            });
        }
        if !info.finite {
            return Err(RunError::NonFinite {
                path: self.run.clone(),
                step,
            });
        }
        fs::create_dir_all(&self.root).map_err(RunError::io("make", &self.root))?;
        sync_folder(&self.run)?;
        // An error here is reported after the save, unless the save fails because of it.
        let _ = layout::tidy(&self.root);

        let unfinished = layout::unfinished(&self.root, step);
        fs::create_dir(&unfinished).map_err(RunError::io("make", &unfinished))?;
        let path = layout::finished(&self.root, step);
        let sealed = write(&unfinished)
            .map_err(|cause| RunError::Write {
                path: path.clone(),
                step,
                cause: cause.into(),
            })
            .and_then(|()| manifest::seal(&unfinished, step, info))
            .and_then(|manifest| layout::install(&self.root, step).map(|_| manifest));
        let manifest = match sealed {
            Ok(manifest) => manifest,
            Err(error) => {
                // Frees space on a disk that may be full; the next save removes the rest.
                let _ = fs::remove_dir_all(&unfinished);
                return Err(error);
            }
        };
        let mut saved = Saved {
            path,
            bytes: manifest.files.iter().map(|file| file.size).sum(),
            pruned: Vec::new(),
            unreadable: Vec::new(),
            not_pruned: None,
        };
        saved.not_pruned = self.prune(step, info, &mut saved).err();
        let reported = &mut self.reported;
        (saved.unreadable).retain(|damaged| reported.insert(damaged.step));
        Ok(saved)
    }

    /// The steps of the finished checkpoints, ascending. They are not verified.
    pub fn list(&self) -> Result<Vec<u64>> {
        Ok(layout::scan(&self.root)?
            .into_iter()
            .map(|(step, _)| step)
            .collect())
    }

    /// The newest checkpoint whose files are all unchanged.
    pub fn latest_valid(&self) -> Result<Found> {
        self.until_settled(|found| {
            let newest_first = found.into_iter().rev().collect();
            Ok(self.first_whole(newest_first, Vec::new()))
        })
    }

    /// Of the existing checkpoints whose files are all unchanged, the one with the best evaluation.
    /// Those with an unreadable manifest are among the skipped.
    pub fn best(&self) -> Result<Found> {
        self.until_settled(|found| {
            let mut known = Vec::new();
            let mut skipped = Vec::new();
            for (step, path) in found {
                match look(&path, step, manifest::read) {
                    Look::Whole(manifest) => known.push((manifest, path)),
                    Look::Damaged(damaged) => skipped.insert(0, damaged),
                    Look::Gone => return Ok(None),
                }
            }
            let goal = (known.last()).map_or_else(Goal::default, |(newest, _)| newest.info.goal);
            let mut candidates: Vec<_> = (known.iter())
                .map(|(manifest, _)| Candidate::of(manifest))
                .collect();
            let mut best_first = Vec::new();
            while let Some(best) = policy::best(&candidates, goal) {
                candidates.retain(|candidate| candidate.step != best);
                let path = known.iter().find(|(manifest, _)| manifest.step == best);
                best_first.extend(path.map(|(_, path)| (best, path.clone())));
            }
            let newest = known.last().map(|(newest, _)| newest.info.clone());
            Ok((self.first_whole(best_first, skipped)).map(|found| Found {
                missed: newest.and_then(|info| missed(info, &found)),
                ..found
            }))
        })
    }

    /// The checkpoint of a step, verified.
    pub fn at(&self, step: u64) -> Result<Checkpoint> {
        self.until_settled(|found| {
            let Some((_, path)) = found.iter().find(|(other, _)| *other == step) else {
                let available = found.into_iter().map(|(step, _)| step).collect();
                return Err(RunError::NoStep {
                    path: self.run.clone(),
                    step,
                    available,
                });
            };
            match look(path, step, manifest::verify) {
                Look::Whole(manifest) => Ok(Some(Checkpoint {
                    step,
                    path: path.clone(),
                    manifest,
                })),
                Look::Damaged(damaged) => Err(RunError::Damaged(Box::new(damaged))),
                Look::Gone => Ok(None),
            }
        })
    }

    /// Finds a checkpoint and reads its files; repeats both if another process removed or replaced
    /// it meanwhile.
    pub fn read<T, E: From<RunError>>(
        &self,
        mut find: impl FnMut(&Self) -> Result<Checkpoint, E>,
        mut read: impl FnMut(&Checkpoint) -> Result<T, E>,
    ) -> Result<T, E> {
        for _ in 0..MAX_READS {
            let checkpoint = find(self)?;
            let before = identity(&checkpoint.path);
            let error = match read(&checkpoint) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match look(&checkpoint.path, checkpoint.step, manifest::read) {
                // A step that was saved again has the same manifest in another folder.
                Look::Whole(manifest)
                    if manifest == checkpoint.manifest && identity(&checkpoint.path) == before =>
                {
                    return Err(error);
                }
                Look::Damaged(_) => return Err(error),
                Look::Whole(_) | Look::Gone => thread::sleep(PAUSE),
            }
        }
        Err(self.replaced().into())
    }

    /// Whether the checkpoint of a step exists and all its files are unchanged.
    pub fn verify(&self, step: u64) -> Result<()> {
        self.at(step).map(|_| ())
    }

    /// Removes the checkpoints of later steps, and returns their steps.
    ///
    /// A run that returns to an earlier step must do this: otherwise a later step would count as
    /// the newest at the next resume.
    pub fn remove_after(&mut self, step: u64) -> Result<Vec<u64>> {
        if self.lock.is_none() {
            return Err(RunError::ReadOnly {
                path: self.run.clone(),
            });
        }
        let mut removed = Vec::new();
        for (later, path) in layout::scan(&self.root)? {
            if later > step {
                layout::remove(&path)?;
                removed.push(later);
            }
        }
        Ok(removed)
    }

    fn prune(&self, step: u64, info: &CheckpointInfo, saved: &mut Saved) -> Result<()> {
        layout::tidy(&self.root)?;
        let mut candidates = Vec::new();
        for (step, path) in layout::scan(&self.root)? {
            match manifest::read(&path, step) {
                Ok(known) => candidates.push(Candidate::of(&known)),
                // It may be the best, so it is kept.
                Err(fault) => saved.unreadable.push(Damaged { step, path, fault }),
            }
        }
        for step in self.policy.surplus(&candidates, step, info.goal) {
            layout::remove(&layout::finished(&self.root, step))?;
            saved.pruned.push(step);
        }
        Ok(())
    }

    /// Lists the checkpoints for `choose`, again as long as one of them was removed meanwhile.
    fn until_settled<T>(
        &self,
        choose: impl Fn(Vec<(u64, PathBuf)>) -> Result<Option<T>>,
    ) -> Result<T> {
        for number in 0..MAX_READS {
            let found = layout::scan(&self.root)?;
            // A listing may miss the only checkpoint while it is renamed.
            let is_certain = !found.is_empty() || number >= EMPTY_READS;
            if is_certain && let Some(chosen) = choose(found)? {
                return Ok(chosen);
            }
            thread::sleep(PAUSE);
        }
        Err(self.replaced())
    }

    /// The first complete checkpoint; `None` if a candidate was removed meanwhile.
    fn first_whole(&self, found: Vec<(u64, PathBuf)>, mut skipped: Vec<Damaged>) -> Option<Found> {
        let mut checkpoint = None;
        for (step, path) in found {
            match look(&path, step, manifest::verify) {
                Look::Whole(manifest) => {
                    checkpoint = Some(Checkpoint {
                        step,
                        path,
                        manifest,
                    });
                    break;
                }
                Look::Damaged(damaged) => skipped.push(damaged),
                Look::Gone => return None,
            }
        }
        let run = self.run.clone();
        Some(Found {
            checkpoint,
            skipped,
            missed: None,
            run,
        })
    }

    fn replaced(&self) -> RunError {
        RunError::Replaced {
            path: self.run.clone(),
        }
    }
}

/// The best evaluation in the newest checkpoint, if it is better than that of the best checkpoint
/// and does not belong to a damaged one that was skipped.
fn missed(newest: CheckpointInfo, found: &Found) -> Option<Best> {
    let (value, step) = (newest.best?, newest.best_step?);
    let eval = (found.checkpoint.as_ref()).and_then(|checkpoint| checkpoint.manifest.info.eval);
    let is_better = eval.is_none_or(|eval| newest.goal.is_better(value, eval));
    let is_damaged = found.skipped.iter().any(|damaged| damaged.step == step);
    (is_better && !is_damaged).then(|| Best {
        metric: newest.metric.unwrap_or_default(),
        value,
        step,
    })
}

/// Reads a checkpoint with one of the two functions of [`manifest`].
fn look<T>(
    path: &Path,
    step: u64,
    how: impl Fn(&Path, u64) -> std::result::Result<T, Fault>,
) -> Look<T> {
    let mut known = identity(path);
    for _ in 0..MAX_READS {
        match how(path, step) {
            Ok(value) => return Look::Whole(value),
            Err(_) if is_taken(path).is_ok_and(|is_there| !is_there) => break,
            Err(fault) => {
                let now = identity(path);
                if now == known {
                    return Look::Damaged(Damaged {
                        step,
                        path: path.to_owned(),
                        fault,
                    });
                }
                // Another one of the same step replaced it during the read.
                known = now;
            }
        }
    }
    Look::Gone
}

/// What tells a checkpoint of a step from the next one of the same step: its folder, and the time
/// at which that was filled. `None` while there is no folder.
fn identity(path: &Path) -> Option<(u64, SystemTime)> {
    let folder = fs::metadata(path).ok()?;
    Some((inode(&folder), folder.modified().ok()?))
}

#[cfg(unix)]
fn inode(folder: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(folder)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}
