"""Nearfield's leg: commands of `nearfield-bench`, and which of their columns are the figures.

A command prints JSON with `tables`: titles to lists of rows, which map columns to a number, a text,
or a spread `{median, min, max}`. Where a column is missing the figure is left out, and a note says so.
"""

import json
import subprocess

from process import die_with_parent

NAME = "nearfield"
# Recall is what a search asks for: these take the place of other peers' settings.
RECALLS = (0.9, 0.95, 0.97, 0.99, 0.995, 1)
MIB = 2**20


class Missing(Exception):
    """The program, a command or a column is not there."""


def run(bench, command, *arguments, limit=7200):
    """The report of a command, and its rows."""
    words = [str(bench), command, "--json", "--rounds", "1", *map(str, arguments)]
    try:
        ran = subprocess.run(words, capture_output=True, text=True, timeout=limit, preexec_fn=die_with_parent)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(str(error)) from None
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or [f"ended with {ran.returncode}"]
        raise Missing(f"nearfield-bench {command}: {lines[0]}")
    report = json.loads(ran.stdout)
    return report, [row for table in report["tables"].values() for row in table]


def number(row, column):
    """The figure of a column; nothing if the row has none."""
    cell = row.get(column)
    return cell["median"] if isinstance(cell, dict) else cell


def of_set(spec):
    return ["--data", spec["base"], "--metric", spec["metric"]]


def searches(rows, column, wanted):
    """Recall asked, by the way of asking, to rate and recall; `wanted` maps texts of a column to ways."""
    found = {}
    for row in rows:
        way, rate = wanted(str(row.get(column, ""))), number(row, "queries/s")
        if way is not None and rate:
            recall = {"rate": rate, "recall": number(row, "recall@10"), "cpu_us": number(row, "CPU us/query")}
            found.setdefault(way, []).append({"setting": {"recall": number(row, "recall asked")}} | recall)
    return found


# ------------------------------------------------------------------ commands


def ingest(bench, spec, count, path):
    """Acknowledged vectors per second by durability, while the index is built beside."""
    report, rows = run(bench, "index", *of_set(spec), "--vectors", count, "--durability", "both", "--path", path)
    rates = {row.get("leg"): number(row, "acknowledged, vectors/s") for row in rows if "acknowledged, vectors/s" in row}
    return {leg: rates[leg] for leg in ("sync", "os") if rates.get(leg)}, report


def index(bench, spec, path):
    """Seconds from the first vector until the index covers the rows, and bytes on disk."""
    report, rows = run(bench, "index", *of_set(spec), "--path", path)
    found = {}
    for row in rows:
        if rate := number(row, "to fully indexed, vectors/s"):
            found["seconds"] = spec["rows"] / rate
        if size := number(row, "all, before closing"):
            found["disk"] = size * spec["rows"]
    return found, report


def memory(bench, spec, path):
    """Peaks in bytes, of generated rows of the same number and dimension."""
    report, rows = run(bench, "memory", "--vectors", spec["rows"], "--dim", spec["dimension"], "--path", path)
    found = {}
    for row in rows:
        if row.get("case") == "number ids":
            peaks = [number(row, name) or 0 for name in ("ingest peak", "peak until indexed")]
            found = {"peak_anon": max(peaks) * spec["rows"], "high_water": number(row, "VmHWM of ingest") * spec["rows"]}
    return found, report


def queries(bench, spec, seconds, path):
    """Threads to what was found for each recall asked."""
    report, rows = run(
        bench, "queries", *of_set(spec), "--query-file", spec["queries"], "--truth", spec["truth"],
        *(word for recall in RECALLS for word in ("--recalls", recall)),
        "--threads", 2, "--seconds", seconds, "--path", path,
    )  # fmt: skip
    ways = {"one per call, 1 thread": 1, "one per call, 2 threads": 2}
    return searches(rows, "queries", ways.get), report


def filtered(bench, spec, seconds, shares, path):
    """A share that matches, such as 0.1, to what was found for each recall asked; one thread."""
    report, rows = run(
        bench, "filtered", *of_set(spec), "--query-file", spec["queries"],
        *(word for recall in RECALLS[:-2] for word in ("--recalls", recall)),
        "--threads", 1, "--seconds", seconds, "--path", path,
    )  # fmt: skip
    ways = {f"{share * 100:g}% anywhere": share for share in shares}
    return searches(rows, "rows that match", ways.get), report
