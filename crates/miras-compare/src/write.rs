//! All outputs, in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use miras_run::{RunError, write_atomic};

use crate::CompareError;
use crate::comparison::Comparison;

impl Comparison {
    /// Writes `results.csv`, `results.json`, `results.md`, `report.html` and, in `plots/`, every
    /// plot as SVG. The folder is made if it is not there; files of these names are
    /// replaced, each whole, and others are left alone.
    ///
    /// Returns the files.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, CompareError> {
        let pictures = folder.join("plots");
        fs::create_dir_all(&pictures).map_err(RunError::io("make", &pictures))?;
        let mut written = Vec::new();
        let mut write = |path: PathBuf, bytes: &[u8]| -> Result<(), CompareError> {
            write_atomic(&path, bytes)?;
            written.push(path);
            Ok(())
        };
        write(folder.join("results.csv"), self.csv()?.as_bytes())?;
        write(folder.join("results.json"), self.json().as_bytes())?;
        write(folder.join("results.md"), self.markdown().as_bytes())?;
        let plots = self.plots();
        write(
            folder.join("report.html"),
            self.html_with(&plots)?.as_bytes(),
        )?;
        for plot in &plots {
            let path = pictures.join(format!("{}.svg", plot.name()));
            write(path, plot.svg()?.as_bytes())?;
        }
        Ok(written)
    }
}
