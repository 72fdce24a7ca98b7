"""Measures rival libraries and stores, and Nearfield, on the same data in one run.

    .venv/bin/python run.py --quick
    .venv/bin/python run.py [--sets NAME ...] [--peers NAME ...] [--rounds N]

Writes `results.json` as it goes and `results.md` at the end; README.md says what the figures are.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from pathlib import Path

import adapters
import data
import machine
import nearfield
import report
import settings
from process import Failed, Process
from settings import FIELDS, FILTER_TARGET, TARGETS, THREADS

HERE = Path(__file__).resolve().parent
PEERS = (*adapters.MODULES, nearfield.NAME)
STARTED = time.monotonic()


def say(text):
    minutes, seconds = divmod(int(time.monotonic() - STARTED), 60)
    print(f"[{minutes:3}:{seconds:02}] {text}", file=sys.stderr, flush=True)


def spread(values):
    """The median over rounds, the lowest and the highest; nothing of nothing."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "values": values}


class Measured:
    """A peer on one set: its processes and what is known of it."""

    def __init__(self, name):
        self.name = name
        self.result = {"variants": {}, "variant": None}
        self.process = None  # of the chosen variant
        self.filtered = None  # the one that holds fields; the same for libraries
        self.settings = {}  # (field or None, target) to the setting taken

    def close(self):
        for process in {self.process, self.filtered} - {None}:
            process.close()


class Run:
    def __init__(self, options, results):
        self.options, self.results = options, results

    def save(self):
        text = json.dumps(self.results, indent=1)
        partial = self.options.out.with_suffix(".part")
        partial.write_text(text)
        partial.replace(self.options.out)

    # -------------------------------------------------------------- one set

    def set(self, name):
        spec = data.prepare(name, self.options.cache, self.options)
        say(f"{name}: {spec['rows']:,} x {spec['dimension']}, {spec['metric']}, {spec['query_count']:,} queries")
        self.spec, self.answers = spec, data.Answers(spec)
        out = {"spec": {k: spec[k] for k in ("name", "metric", "rows", "dimension", "query_count")}}
        out |= {"load_before": machine.load(), "peers": {}, "not_run": {}}
        self.out = self.results["sets"][name] = out
        began = time.monotonic()
        peers = [Measured(peer) for peer in self.options.peers if peer != nearfield.NAME]
        try:
            self.ingest(peers)
            for peer in list(peers):
                try:
                    self.build(peer)
                    self.build_filtered(peer)
                    out["peers"][peer.name] = peer.result
                except Failed as error:
                    self.not_run(peer.name, str(error))
                    peer.close()
                    peers.remove(peer)
                self.save()
            if nearfield.NAME in self.options.peers:
                self.nearfield_once()
            self.rounds(peers)
        finally:
            for peer in peers:
                peer.close()
        out["load_after"] = machine.load()
        out["took_seconds"] = time.monotonic() - began
        self.save()

    def not_run(self, peer, reason):
        say(f"  {peer}: not run: {reason}")
        self.out["not_run"][peer] = reason

    def start(self, peer, variant):
        return Process(peer, variant, self.spec, self.options.scratch, self.options.limit)

    # -------------------------------------------------------------- writing

    def ingest(self, peers):
        """Stores alternate, each time from nothing; a store that is new for every leg cannot gain from
        the one before."""
        rows = min(self.spec["rows"], self.options.ingest_rows)
        for peer in list(peers):
            process = None
            try:
                process = self.start(peer.name, self.variants(peer.name)[0])
                peer.result |= process.ask("about")
            except Failed as error:
                self.not_run(peer.name, str(error))
                peers.remove(peer)
            finally:
                if process:
                    process.close()
        rates = {}
        for _ in range(self.options.rounds):
            for peer in peers:
                variant = self.variants(peer.name)[0]
                for durability in peer.result["durability"]:
                    process = None
                    try:
                        process = self.start(peer.name, variant)
                        done = process.ask("ingest", rows=rows, durability=durability)
                        rates.setdefault((peer.name, durability), []).append(done["rows"] / done["seconds"])
                    except Failed as error:
                        say(f"  {peer.name}: ingest, {durability}: {error}")
                    finally:
                        if process:
                            process.close()
            if nearfield.NAME in self.options.peers:
                found = self.nearfield("ingest", nearfield.ingest, self.spec, rows, self.options.scratch)
                for durability, rate in (found or {}).items():
                    rates.setdefault((nearfield.NAME, durability), []).append(rate)
        for (name, durability), values in rates.items():
            result = self.nearfield_result() if name == nearfield.NAME else self.of(peers, name).result
            result.setdefault("ingest", {})[durability] = spread(values)
            say(f"  {name}: {statistics.median(values):,.0f} vectors/s, {durability}")
        self.save()

    def of(self, peers, name):
        return next(peer for peer in peers if peer.name == name)

    def variants(self, peer):
        of_metric = [v for v in settings.VARIANTS[peer] if self.spec["metric"] in v.metrics]
        return of_metric[:1] if self.options.first_variant else of_metric

    # ------------------------------------------------------------- building

    def build(self, peer):
        """Every variant is built and swept; the process of the best stays."""
        best = None
        failures = []
        for variant in self.variants(peer.name):
            process = None
            try:
                process = self.start(peer.name, variant)
                built = process.ask("build", fields=False)
                result = {"why": variant.why, "build": built, "memory": process.memory()}
                result |= process.ask("ready")
                peer.result["variants"][variant.name] = result
                result["sweep"] = self.sweep(process, peer.name, variant, None, TARGETS)
                taken = {target: best_of(result["sweep"], target) for target in TARGETS}
                result["taken"] = {str(target): row for target, row in taken.items()}
                score = 1.0
                for row in taken.values():
                    score *= row["rate_by_cpu"] if row else 1e-3
            except Failed as error:
                failures.append(f"{variant.name}: {error}")
                peer.result["variants"].setdefault(variant.name, {})["failed"] = str(error)
                if process:
                    process.close()
                continue
            seconds = sum(built["seconds"].values())
            reached = ", ".join(f"{t}: {r['rate']:,.0f}/s {r['setting']}" if r else f"{t}: -" for t, r in taken.items())
            say(f"  {peer.name} {variant.name}: indexed in {seconds:.1f} s; {reached}")
            if best is None or score > best[0]:
                if peer.process:
                    peer.process.close()
                best, peer.process, peer.result["variant"] = (score,), process, variant.name
                peer.settings |= {(None, target): row and row["setting"] for target, row in taken.items()}
            else:
                process.close()
        if peer.process is None:
            raise Failed("; ".join(failures))

    def build_filtered(self, peer):
        """A second store whose rows have fields; libraries are given the rows that match."""
        if peer.result["filters"] or self.options.no_filters:
            return
        variant = next(v for v in self.variants(peer.name) if v.name == peer.result["variant"])
        try:
            if peer.result["stores"]:
                peer.filtered = self.start(peer.name, variant)
                built = peer.filtered.ask("build", fields=True)
                peer.filtered.ask("ready")
                peer.result["filtered_build"] = built
            else:
                peer.filtered = peer.process
            sweeps = {}
            for name in FIELDS:
                rows = self.sweep(peer.filtered, peer.name, variant, name, (FILTER_TARGET,))
                row = best_of(rows, FILTER_TARGET)
                sweeps[name] = {"sweep": rows, "taken": row}
                peer.settings[name, FILTER_TARGET] = row and row["setting"]
            peer.result["filtered_sweeps"] = sweeps
            shown = ", ".join(f"1/{of}: {s['taken']['rate']:,.0f}/s {s['taken']['setting']}" if s["taken"] else f"1/{of}: -"
                              for of, s in zip(FIELDS.values(), sweeps.values()))  # fmt: skip
            say(f"  {peer.name} filtered: {shown}")
        except Failed as error:
            say(f"  {peer.name}: no filtered searches: {error}")
            peer.result["filters"] = str(error)
            if peer.filtered and peer.filtered is not peer.process:
                peer.filtered.close()
            peer.filtered = None

    def sweep(self, process, peer, variant, field, targets):
        """Tries settings on one thread, each group until it reaches the highest recall or costs more
        than another setting that did."""
        tried, cheapest = [], float("inf")
        for group in settings.sweep(peer, variant, self.spec["rows"], field is not None):
            recalls = []
            if self.options.quick:
                group = group[::2] + group[-1:] * (len(group) % 2 == 0)
            for setting in group:
                row = self.leg(process, setting, 1, field, 0.2, self.options.sweep_seconds)
                tried.append(row)
                recalls.append(row["recall"])
                if row["recall"] >= max(targets):
                    cheapest = min(cheapest, row["cpu_us"])
                    break
                if row["cpu_us"] > 1.5 * cheapest:
                    break
                # More of the same finds nothing more.
                if len(recalls) > 3 and recalls[-1] > 0.3 and recalls[-1] - recalls[-4] < 0.002:
                    break
        return tried

    def leg(self, process, setting, threads, field, seconds, most):
        answer = process.ask(
            "leg", setting=setting, threads=threads, field=field, seconds=seconds,
            least=self.spec["query_count"], most=max(most, seconds),
        )  # fmt: skip
        cpu_us = answer["cpu_seconds"] / answer["queries"] * 1e6
        return {
            "setting": setting,
            "recall": self.answers.recall(answer["found"], field),
            "rate": answer["rate"],
            "cpu_us": cpu_us,
            "rate_by_cpu": 1e6 / cpu_us,
            "cores": answer["cpu_seconds"] / answer["wall_seconds"],
            "recall_of": len(answer["found"]),
            "queries": answer["queries"],
        }

    # ------------------------------------------------------------ searching

    def rounds(self, peers):
        """Legs of all peers take turns; a round begins with another peer each time."""
        legs = {}
        near = {}
        for number in range(self.options.rounds):
            turn = number % max(1, len(peers))
            for peer in peers[turn:] + peers[:turn]:
                for (field, target), setting in peer.settings.items():
                    if setting is None:
                        continue
                    process = peer.filtered if field else peer.process
                    for threads in (1,) if field else range(1, THREADS + 1):
                        try:
                            row = self.leg(process, setting, threads, field, self.options.seconds, 5 * self.options.seconds)
                            legs.setdefault((peer.name, field, target, threads), []).append(row)
                        except Failed as error:
                            say(f"  {peer.name}: a search failed: {error}")
            if nearfield.NAME in self.options.peers:
                self.nearfield_round(near)
            say(f"  round {number + 1} of {self.options.rounds}")
        for (name, field, target, threads), rows in legs.items():
            searches = self.of(peers, name).result.setdefault("searches", {})
            searches[f"{field or 'all'} {target} {threads}"] = legs_of(rows)
        for peer in peers:
            peer.result["memory_after_searches"] = peer.process.memory()
        if near:
            self.nearfield_searches(near)

    # ------------------------------------------------------------ Nearfield

    def nearfield_result(self):
        empty = {"stores": True, "filters": "", "variants": {}, "variant": "defaults", "reports": {}}
        return self.out["peers"].setdefault(nearfield.NAME, empty)

    def nearfield(self, what, call, *arguments):
        """What a command found; a reason why not is kept with the set."""
        try:
            found, full = call(self.options.bench, *arguments)
        except nearfield.Missing as error:
            if f"nearfield {what}" not in self.out["not_run"]:
                self.not_run(f"nearfield {what}", str(error))
            return None
        if not found:
            self.out["not_run"][f"nearfield {what}"] = "its tables lack the columns that nearfield.py looks for"
        self.nearfield_result()["reports"].setdefault(what, []).append(full)
        return found

    def nearfield_once(self):
        result = self.nearfield_result()
        for what, call in (("index", nearfield.index), ("memory", nearfield.memory)):
            if found := self.nearfield(what, call, self.spec, self.options.scratch):
                result.setdefault("index", {}).update(found)

    def nearfield_round(self, legs):
        """Adds what each recall asked came to: (field or None, threads) to rows."""
        seconds, scratch = self.options.seconds, self.options.scratch
        found = self.nearfield("queries", nearfield.queries, self.spec, seconds, scratch)
        for threads, rows in (found or {}).items():
            legs.setdefault((None, threads), []).extend(rows)
        if not self.options.no_filters:
            fields = {1 / of: name for name, of in FIELDS.items()}
            found = self.nearfield("filtered", nearfield.filtered, self.spec, seconds, list(fields), scratch)
            for share, rows in (found or {}).items():
                legs.setdefault((fields[share], 1), []).extend(rows)

    def nearfield_searches(self, legs):
        """The lowest recall asked that reaches the target. What it costs is not looked at, so that it
        is not chosen for a lucky leg: other peers' settings were chosen before their legs, too."""
        result = self.nearfield_result()
        for (field, threads), rows in legs.items():
            by_asked = {}
            for row in rows:
                by_asked.setdefault(row["setting"]["recall"], []).append(row)
            for target in (FILTER_TARGET,) if field else TARGETS:
                for _, same in sorted(by_asked.items()):
                    leg = legs_of(same)
                    if leg["recall"]["median"] >= target:
                        result.setdefault("searches", {})[f"{field or 'all'} {target} {threads}"] = leg
                        break


def legs_of(rows):
    """The legs of one setting in all rounds."""
    return {"setting": rows[0]["setting"]} | {
        name: spread([row.get(name) for row in rows]) for name in ("rate", "recall", "cpu_us", "cores")
    }


def best_of(rows, target):
    """The setting that takes the least processor time of those that reach a recall; processor time,
    since other work on the machine hardly moves it. On one core it is the fastest, too."""
    good = [row for row in rows if row["recall"] >= target]
    return min(good, key=lambda row: row["cpu_us"], default=None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data.arguments(parser)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="NAME", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--quick", action="store_true", help="20,000 rows, first variants, one short round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a leg searches")
    parser.add_argument("--sweep-seconds", type=float, default=2.0, help="how long a setting is tried at most")
    parser.add_argument("--ingest-rows", type=int, default=100_000, help="rows that a leg of writing takes")
    parser.add_argument("--limit", type=float, default=5400, help="seconds that any step of a peer may take")
    parser.add_argument("--no-filters", action="store_true")
    parser.add_argument("--first-variant", action="store_true", help="build only the first variant of each peer")
    parser.add_argument("--scratch", type=Path, default=HERE / ".scratch", help="where stores are written; the disk counts")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    options = parser.parse_args()
    if options.quick:
        options.rows = min(options.rows or 20_000, 20_000)
        options.queries = min(options.queries, 500)
        options.rounds, options.seconds, options.sweep_seconds = 1, 0.3, 0.3
        options.first_variant = True
        options.sets = options.sets or ["generated-100k", "fashion-mnist", "glosses"]
    options.scratch.mkdir(parents=True, exist_ok=True)
    packages = [adapters.PACKAGES[peer] for peer in options.peers if peer in adapters.PACKAGES]
    results = {
        "machine": machine.describe(options.scratch),
        "versions": machine.versions([*packages, "numpy"]) | {"nearfield": machine.commit(options.bench)},
        "options": {k: v for k, v in vars(options).items() if k in ("rounds", "seconds", "rows", "queries", "ingest_rows", "quick")},
        "load_before": machine.load(),
        "sets": {},
    }
    run = Run(options, results)
    for name in data.chosen(options):
        try:
            run.set(name)
        except FileNotFoundError as error:
            say(f"{name}: not measured: {error}")
            results["sets"][name] = {"missing": str(error)}
    results["load_after"] = machine.load()
    results["took_seconds"] = time.monotonic() - STARTED
    run.save()
    text = report.markdown(results)
    options.out.with_suffix(".md").write_text(text)
    print(text)
    if not any(options.scratch.iterdir()):
        shutil.rmtree(options.scratch)


if __name__ == "__main__":
    main()
