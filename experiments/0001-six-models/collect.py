#!/usr/bin/env python3
"""Gathers the runs of this study: results.csv, a table, and curves as SVG.

    experiments/0001-six-models/collect.py [RUNS]        (runs/0001)
"""

import csv
import json
import re
import statistics
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUNS = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/0001")
MODELS = ["titans-lmm", "yaad", "moneta", "memora", "gated-deltanet", "transformer"]
COLOURS = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#444444"]
NAME = re.compile(r"(?P<task>mqar|text-\d+)-(?P<model>.+?)(?P<nowrite>-nowrite)?-s(?P<seed>\d+)$")


def evaluations():
    """Rows (task, model, writes, seed, step, tokens, loss, value) of all runs that are over."""
    for folder in sorted(RUNS.iterdir()):
        match = NAME.match(folder.name)
        metrics = folder / "metrics.jsonl"
        summary = folder / "summary.json"
        if not match or not summary.exists() or json.loads(summary.read_text())["status"] == "interrupted":
            continue
        # What follows the last line end is half of a line.
        for line in metrics.read_text().split("\n")[:-1]:
            point = json.loads(line)
            if "eval/loss" not in point:
                continue
            value = point.get("eval/bits_per_byte", point.get("eval/accuracy"))
            yield {
                "task": match["task"],
                "model": match["model"],
                "writes": "no" if match["nowrite"] else "yes",
                "seed": int(match["seed"]),
                "step": point["step"],
                "tokens": point["tokens"],
                "loss": round(point["eval/loss"], 5),
                "value": round(value, 5),
            }


def last(rows):
    """The last value of each run: (task, model, writes) to {seed: (step, value)}."""
    found = defaultdict(dict)
    for row in rows:
        found[row["task"], row["model"], row["writes"]][row["seed"]] = (row["step"], row["value"])
    return found


def stopped():
    """Runs that stopped because a number was not finite: (task, model, writes) to steps."""
    found = defaultdict(list)
    for folder in sorted(RUNS.iterdir()):
        match, summary = NAME.match(folder.name), folder / "summary.json"
        if match and summary.exists():
            summary = json.loads(summary.read_text())
            if summary["status"] == "nonfinite":
                key = match["task"], match["model"], "no" if match["nowrite"] else "yes"
                found[key].append(summary["steps"])
    return found


def cell(runs, not_finite):
    if not_finite:
        return "not finite at step " + ", ".join(map(str, not_finite))
    values = [value for _, value in runs.values()]
    if not values:
        return "-"
    mean = statistics.fmean(values)
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{mean:.3f}{spread} ({len(values)})"


def table(rows):
    found, ends = last(rows), stopped()
    tasks = sorted({key[0] for key in found}, key=lambda task: (task != "mqar", len(task), task))
    print("| model | " + " | ".join(f"{task} | without writing" for task in tasks) + " |")
    print("|---" * (1 + 2 * len(tasks)) + "|")
    for model in MODELS:
        keys = [(task, model, writes) for task in tasks for writes in ("yes", "no")]
        cells = [cell(found.get(key, {}), ends.get(key)) for key in keys]
        print(f"| {model} | " + " | ".join(cells) + " |")


def curves(rows, task):
    """Value against tokens, a line a model, seeds averaged; dashed without writing."""
    points = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["task"] == task:
            points[row["model"], row["writes"]][row["tokens"]].append(row["value"])
    if not points:
        return None
    every = [(x, statistics.fmean(ys)) for line in points.values() for x, ys in line.items()]
    x_most = max(x for x, _ in every)
    low, high = min(y for _, y in every), max(y for _, y in every)
    high = high if high > low else low + 1.0
    width, height, left, top = 640, 400, 60, 30

    def at(x, y):
        return (left + (width - left - 150) * x / x_most,
                top + (height - top - 50) * (high - y) / (high - low))

    unit = "accuracy" if task == "mqar" else "bits per byte"
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{left}" y="18">{task}: {unit} against tokens</text>']
    for i in range(5):
        y = low + (high - low) * i / 4
        _, py = at(0, y)
        out.append(f'<line x1="{left}" x2="{width - 150}" y1="{py:.1f}" y2="{py:.1f}" stroke="#ddd"/>'
                   f'<text x="{left - 6}" y="{py + 4:.1f}" text-anchor="end">{y:.2f}</text>')
        px, _ = at(x_most * i / 4, low)
        out.append(f'<text x="{px:.1f}" y="{height - 30}" text-anchor="middle">{x_most * i / 4:,.0f}</text>')
    for i, (model, colour) in enumerate(zip(MODELS, COLOURS)):
        for writes, dash in (("yes", ""), ("no", ' stroke-dasharray="5 4"')):
            line = points.get((model, writes))
            if line:
                path = " ".join("%.1f,%.1f" % at(x, statistics.fmean(ys)) for x, ys in sorted(line.items()))
                out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        out.append(f'<text x="{width - 140}" y="{top + 18 * i + 10}" fill="{colour}">{model}</text>')
    out.append(f'<text x="{width - 140}" y="{top + 18 * len(MODELS) + 16}" fill="#777">dashed: no writing</text></svg>')
    return "\n".join(out) + "\n"


def main():
    rows = list(evaluations())
    if not rows:
        sys.exit(f"no runs of this study in {RUNS}")
    with open(HERE / "results.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    table(rows)
    for task in sorted({row["task"] for row in rows}):
        (HERE / f"{task}.svg").write_text(curves(rows, task))


if __name__ == "__main__":
    main()
