//! The checkpoints of a run.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Damaged, Result, RunError};
use crate::files::sync_folder;
use crate::folder::RunFolder;
use crate::layout;
use crate::lock::Lock;
use crate::manifest::{self, CheckpointInfo, Manifest};
use crate::policy::{self, Candidate, Policy};

/// The checkpoints of a run, in `checkpoints/step-00000020/` and so on.
///
/// Made from a locked [`RunFolder`] it shares the lock, and may save.
#[derive(Debug)]
pub struct Checkpoints {
    run: PathBuf,
    root: PathBuf,
    policy: Policy,
    lock: Option<Lock>,
}

/// A checkpoint whose files were compared with its manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Optimizer steps done.
    pub step: u64,
    /// The folder with its files.
    pub path: PathBuf,
    /// What was said when it was saved.
    pub manifest: Manifest,
}

/// The newest valid checkpoint, and newer ones that are not valid.
#[derive(Debug)]
pub struct Latest {
    /// The newest valid one, if there is any.
    pub checkpoint: Option<Checkpoint>,
    /// Newer ones that were passed over, newest first: worth a warning.
    pub skipped: Vec<Damaged>,
    run: PathBuf,
}

impl Latest {
    /// The checkpoint, or an error that tells why there is none.
    pub fn require(self) -> Result<Checkpoint> {
        let Self {
            checkpoint,
            skipped,
            run,
        } = self;
        checkpoint.ok_or(RunError::NoCheckpoint { path: run, skipped })
    }
}

/// What a save did.
#[derive(Debug)]
pub struct Saved {
    /// The new checkpoint.
    pub path: PathBuf,
    /// Its size, without the manifest.
    pub bytes: u64,
    /// Steps whose checkpoints were removed by the [`Policy`], ascending.
    pub pruned: Vec<u64>,
    /// Why something old could not be removed. The new checkpoint is safe nevertheless, so
    /// this is worth a warning and no reason to stop.
    pub not_pruned: Option<RunError>,
}

impl Checkpoints {
    /// The checkpoints of a run; touches nothing yet.
    pub fn new(folder: &RunFolder, policy: Policy) -> Self {
        Self {
            run: folder.path().to_owned(),
            root: folder.checkpoints_path(),
            policy,
            lock: folder.lock().cloned(),
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
        // What cannot be removed now is reported after the save, unless it is in the way.
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
                // Frees the disk that may just have filled up; the next save tries again.
                let _ = fs::remove_dir_all(&unfinished);
                return Err(error);
            }
        };
        let mut pruned = Vec::new();
        let not_pruned = self.prune(step, info, &mut pruned).err();
        let bytes = manifest.files.iter().map(|file| file.size).sum();
        Ok(Saved {
            path,
            bytes,
            pruned,
            not_pruned,
        })
    }

    /// The steps of the finished checkpoints, ascending. They are not verified.
    pub fn list(&self) -> Result<Vec<u64>> {
        Ok(layout::scan(&self.root)?
            .into_iter()
            .map(|(step, _)| step)
            .collect())
    }

    /// The newest checkpoint whose files are all as they were saved.
    pub fn latest_valid(&self) -> Result<Latest> {
        let mut skipped = Vec::new();
        let mut checkpoint = None;
        for (step, path) in layout::scan(&self.root)?.into_iter().rev() {
            match manifest::verify(&path, step) {
                Ok(manifest) => {
                    checkpoint = Some(Checkpoint {
                        step,
                        path,
                        manifest,
                    });
                    break;
                }
                Err(fault) => skipped.push(Damaged { step, path, fault }),
            }
        }
        Ok(Latest {
            checkpoint,
            skipped,
            run: self.run.clone(),
        })
    }

    /// The checkpoint of a step, verified.
    pub fn at(&self, step: u64) -> Result<Checkpoint> {
        let found = layout::scan(&self.root)?;
        let Some((_, path)) = found.iter().find(|(other, _)| *other == step) else {
            let available = found.into_iter().map(|(step, _)| step).collect();
            return Err(RunError::NoStep {
                path: self.run.clone(),
                step,
                available,
            });
        };
        let path = path.clone();
        match manifest::verify(&path, step) {
            Ok(manifest) => Ok(Checkpoint {
                step,
                path,
                manifest,
            }),
            Err(fault) => Err(RunError::Damaged(Box::new(Damaged { step, path, fault }))),
        }
    }

    /// Whether the checkpoint of a step is there with all files as they were saved.
    pub fn verify(&self, step: u64) -> Result<()> {
        self.at(step).map(|_| ())
    }

    /// The step with the best evaluation, of those that still have a checkpoint.
    pub fn best(&self) -> Result<Option<u64>> {
        let manifests: Vec<_> = layout::scan(&self.root)?
            .into_iter()
            .filter_map(|(step, path)| manifest::read(&path, step).ok())
            .collect();
        let goal = manifests
            .last()
            .map_or_else(Default::default, |newest| newest.info.goal);
        let candidates: Vec<_> = manifests
            .iter()
            .map(|manifest| Candidate {
                step: manifest.step,
                eval: manifest.info.eval,
            })
            .collect();
        Ok(policy::best(&candidates, goal))
    }

    /// Removes the checkpoints of later steps, and returns their steps.
    ///
    /// A run that goes back to an earlier step must do this: otherwise what it left behind
    /// would count as the newest when it is resumed again.
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

    fn prune(&self, saved: u64, info: &CheckpointInfo, pruned: &mut Vec<u64>) -> Result<()> {
        layout::tidy(&self.root)?;
        let found = layout::scan(&self.root)?;
        let candidates: Vec<_> = found
            .iter()
            .map(|(step, path)| {
                let eval = manifest::read(path, *step)
                    .ok()
                    .and_then(|known| known.info.eval);
                Candidate { step: *step, eval }
            })
            .collect();
        for step in self.policy.surplus(&candidates, saved, info.goal) {
            layout::remove(&layout::finished(&self.root, step))?;
            pruned.push(step);
        }
        Ok(())
    }
}
