//! A submission script for SLURM.

use std::path::Path;

use miras_run::shell_word;

/// The parameters of the array job.
#[derive(Debug, Clone)]
pub struct Slurm<'a> {
    /// The name of the sweep.
    pub name: &'a str,
    /// Its folder, which all nodes see under this path.
    pub folder: &'a Path,
    /// The program, under the same path on all nodes.
    pub program: &'a Path,
    /// Where it runs, for relative paths.
    pub working_dir: &'a Path,
    /// Tasks of the array; each takes one trial after the other.
    pub workers: usize,
    /// Further words for `worker`, such as `--device cuda`.
    pub words: &'a [String],
}

/// The text of the script: an array job of workers.
pub fn script(slurm: &Slurm<'_>) -> String {
    let path = |path: &Path| shell_word(&path.to_string_lossy());
    let words: Vec<String> = slurm.words.iter().map(|word| shell_word(word)).collect();
    let words = [&["worker".to_owned(), path(slurm.folder)], &*words]
        .concat()
        .join(" ");
    let Slurm { name, workers, .. } = slurm;
    format!(
        "\
#!/bin/sh
# The sweep `{name}` as an array job. Submit it with `sbatch`; what a time limit cut off goes on
# when it is submitted again. Every task takes trials until none is left, so their number is
# how many are trained at a time and not how many there are.
#SBATCH --job-name={job}
#SBATCH --array=1-{workers}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --time=04:00:00
# Two minutes to save before the time is up.
#SBATCH --signal=B:TERM@120
#SBATCH --output={folder}/slurm-%A_%a.out
# For a GPU each, take one # away, and add `--device cuda` below.
##SBATCH --gres=gpu:1

cd {dir} || exit 1
export RAYON_NUM_THREADS=\"${{SLURM_CPUS_PER_TASK:-1}}\"
exec {program} {words} --progress plain
",
        job = shell_word(name),
        // SLURM replaces what follows a % in the name of the output.
        folder = shell_word(&slurm.folder.to_string_lossy().replace('%', "%%")),
        dir = path(slurm.working_dir),
        program = path(slurm.program),
    )
}
