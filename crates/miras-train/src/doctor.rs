//! `doctor`: this machine and this build.

use std::{
    env::consts::{ARCH, OS},
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use burn::tensor::{Device, Tensor, TensorData};
use indicatif::ProgressBar;
use miras_contract::{Checked, MOST, Measured, TYPICAL, check};
use miras_device::{BURN, Described, DeviceInfo, KNOWN, SystemMemory, describe, open};
use miras_registry::Registry;
use serde_json::{Value, json};

use crate::{args::DoctorArgs, out::Out, started::features, status::ExitStatus};

/// Rows and columns of the timed product.
const SIZE: usize = 512;
const PRODUCTS: u32 = 8;

pub(crate) fn doctor(
    args: &DoctorArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<ExitStatus> {
    if let Some(name) = &args.device {
        return contract(name, args.json, registry, out);
    }
    let report = Report::new();
    if args.json {
        out.text(&serde_json::to_string_pretty(&report.json())?)
    } else {
        out.text(&report.text())
    }?;
    Ok(ExitStatus::Done)
}

/// The contract on a device.
fn contract(
    name: &str,
    json: bool,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<ExitStatus> {
    let device = open(name)?;
    // Nothing is drawn where the error stream is no terminal.
    let bar = ProgressBar::new(0);
    let begun = Instant::now();
    let checked = check(registry, &device, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let is_right = checked.is_right();
    let Checked {
        cases,
        wide,
        typical,
        most,
        tolerance,
        worst,
        operations,
    } = &checked;
    let operation = checked.worst_operation();
    let seconds = begun.elapsed().as_secs_f64();
    let text = if json {
        let json = json!({
            "device": name,
            "cases": cases,
            "agrees": is_right,
            "typical_gap": typical,
            "most_gap": most,
            "worst_gap": worst.gap,
            "worst_tolerance": worst.tolerance,
            "typical_tolerance": tolerance,
            "worst_case": worst.case,
            "worst_value": worst.what,
            "wide_cases": wide,
            "operations": operations.iter().map(|one| json!({
                "name": one.operation,
                "value": one.what,
                "gap": one.gap,
                "tolerance": one.tolerance,
            })).collect::<Vec<_>>(),
            "seconds": seconds,
        });
        serde_json::to_string_pretty(&json)?
    } else {
        let verdict = if is_right { "agrees" } else { "does not agree" };
        format!(
            "the device `{name}` {verdict} with float64 on the CPU: {} operations, {cases} combinations and forms ({wide} of them with 64 tokens a chunk) in {seconds:.0} s\n\
             operations    nearest to its limit: {}, {:.1e}, at most {:.0e} is rounding{}\n\
             typical gap   {typical:.1e}, at most {TYPICAL:.0e} is rounding\n\
             99 of 100     {most:.1e}, at most {MOST:.0e}\n\
             combinations  nearest to its limit: {:.1e}, at most {:.1e}: {} of {}",
            operations.len(),
            operation.operation,
            operation.gap,
            operation.tolerance,
            wrong_operations(&checked),
            worst.gap,
            worst.tolerance,
            worst.what,
            worst.case
        )
    };
    out.text(&text)?;
    Ok(if is_right {
        ExitStatus::Done
    } else {
        ExitStatus::Failed
    })
}

/// The operations that are wrong, a line each.
fn wrong_operations(checked: &Checked) -> String {
    let line = |one: &Measured| {
        format!(
            "\n              wrong: {}, {} is off by {:.1e}, at most {:.0e}",
            one.operation, one.what, one.gap, one.tolerance
        )
    };
    let lines: Vec<String> = checked.wrong_operations().map(line).collect();
    lines.concat()
}

struct Report {
    cpus: usize,
    memory: Option<SystemMemory>,
    simd: Vec<&'static str>,
    devices: Vec<(DeviceInfo, State)>,
    /// One product of two matrices on the CPU.
    product: Option<Duration>,
}

/// Whether a device can be used.
enum State {
    Opens(Described),
    Fails(String),
    NotCompiled,
}

impl Report {
    fn new() -> Self {
        let state = |info: &DeviceInfo| match open(info.name) {
            _ if !info.compiled => State::NotCompiled,
            Ok(device) => State::Opens(describe(&device)),
            Err(error) => State::Fails(error.to_string()),
        };
        Self {
            cpus: thread::available_parallelism().map_or(1, usize::from),
            memory: SystemMemory::read(),
            simd: simd(),
            devices: KNOWN.iter().map(|info| (*info, state(info))).collect(),
            product: open("cpu").ok().as_ref().map(time_product),
        }
    }

    fn text(&self) -> String {
        let memory = self.memory.as_ref().map_or("unknown".to_owned(), |memory| {
            let (total, available) = (
                miras_device::gib(memory.total),
                miras_device::gib(memory.available),
            );
            format!("{total:.1} GiB, {available:.1} GiB available")
        });
        let product = self.product.map_or("failed".to_owned(), |time| {
            let milliseconds = time.as_secs_f64() * 1e3;
            let speed = gflops(time);
            format!("{SIZE} x {SIZE} in {milliseconds:.2} ms, {speed:.0} GFLOP/s")
        });
        let mut text = format!(
            "miras-train  {}\nburn         {BURN}\nsystem       {OS} {ARCH}, {} CPUs, SIMD: {}\n\
             memory       {memory}\nCPU matmul   {product}\nfeatures     {}\n\ndevices\n",
            env!("CARGO_PKG_VERSION"),
            self.cpus,
            if self.simd.is_empty() {
                "unknown".to_owned()
            } else {
                self.simd.join(" ")
            },
            if features().is_empty() {
                "none".to_owned()
            } else {
                features().join(" ")
            },
        );
        for (info, state) in &self.devices {
            let DeviceInfo { name, summary, .. } = info;
            let state = match state {
                State::Opens(described) => format!("ok{}", in_words(described)),
                State::Fails(error) => error.clone(),
                State::NotCompiled => {
                    format!(
                        "not in this build: --features {}",
                        info.feature.unwrap_or(name)
                    )
                }
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {name:8}  {summary}: {state}");
        }
        text
    }

    fn json(&self) -> Value {
        let devices: Vec<_> = self
            .devices
            .iter()
            .map(|(info, state)| {
                json!({
                    "name": info.name,
                    "feature": info.feature,
                    "compiled": info.compiled,
                    "opens": matches!(state, State::Opens(_)),
                    "error": match state {
                        State::Fails(error) => Some(error),
                        _ => None,
                    },
                    "part": part(state, |described| described.part.clone()),
                    "compiles_for": part(state, |described| described.compiles_for.clone()),
                    "dtypes": part(state, |described| Some(described.dtypes.clone())),
                })
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "burn": BURN,
            "os": OS,
            "arch": ARCH,
            "cpus": self.cpus,
            "simd": self.simd,
            "memory_bytes": self.memory.as_ref().map(|memory| memory.total),
            "memory_available_bytes": self.memory.as_ref().map(|memory| memory.available),
            "cpu_matmul": self.product.map(|time| json!({
                "size": SIZE,
                "seconds": time.as_secs_f64(),
                "gflops": gflops(time),
            })),
            "features": features(),
            "devices": devices,
        })
    }
}

/// What a device says of itself, where it opened.
fn part<T>(state: &State, get: impl Fn(&Described) -> Option<T>) -> Option<T> {
    match state {
        State::Opens(described) => get(described),
        State::Fails(_) | State::NotCompiled => None,
    }
}

fn in_words(described: &Described) -> String {
    let part = described.part.as_ref();
    let part = part.map_or_else(String::new, |part| format!(", {part}"));
    let target = described.compiles_for.as_ref();
    let target = target.map_or_else(String::new, |target| format!(" ({target})"));
    format!(
        "{part}{target}, computes in {}",
        described.dtypes.join(", ")
    )
}

/// The instruction sets that decide the speed of the CPU's tensors.
#[cfg(target_arch = "x86_64")]
fn simd() -> Vec<&'static str> {
    let all = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    let there = all.into_iter().filter(|(_, there)| *there);
    there.map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn simd() -> Vec<&'static str> {
    Vec::new()
}

fn time_product(device: &Device) -> Duration {
    let values: Vec<f32> = (0..SIZE * SIZE).map(|at| (at % 61) as f32 / 61.0).collect();
    let matrix = Tensor::<2>::from_data(TensorData::new(values, [SIZE, SIZE]), device);
    let product = || matrix.clone().matmul(matrix.clone()).into_data();
    // The first one starts threads; the fastest was disturbed least.
    product();
    let times = (0..PRODUCTS).map(|_| {
        let start = Instant::now();
        product();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

fn gflops(time: Duration) -> f64 {
    2.0 * (SIZE as f64).powi(3) / time.as_secs_f64().max(1e-9) / 1e9
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_burn_is_that_of_the_lock_file() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let lock: toml::Table = (std::fs::read_to_string(root.join("Cargo.lock")).unwrap())
            .parse()
            .unwrap();
        let packages = lock["package"].as_array().unwrap();
        let burn = packages
            .iter()
            .find(|one| one["name"].as_str() == Some("burn"));
        assert_eq!(burn.unwrap()["version"].as_str(), Some(BURN));
    }
}
