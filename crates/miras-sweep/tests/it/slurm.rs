//! The submission script for SLURM.

use std::path::Path;

use miras_sweep::{Slurm, script};

#[test]
fn slurm_replaces_nothing_in_the_name_of_the_folder() {
    let text = script(&Slurm {
        name: "50%j",
        folder: Path::new("/runs/50%j a"),
        program: Path::new("/bin/miras-train"),
        working_dir: Path::new("/here"),
        workers: 2,
        words: &[],
    });
    let output = "\n#SBATCH --output='/runs/50%%j a'/slurm-%A_%a.out\n";
    assert!(text.contains(output), "{text}");
    // The program gets the name as it is.
    let command = "\nexec /bin/miras-train worker '/runs/50%j a' --progress plain\n";
    assert!(text.contains(command), "{text}");
}
