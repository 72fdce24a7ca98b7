"""Tables of a `results.json`, to be pasted into bench/README.md.

    python report.py [results.json]
"""

import json
import sys
from pathlib import Path

from settings import FIELDS, FILTER_TARGET, TARGETS, THREADS, VARIANTS

MIB = 2**20


def figure(number):
    """A number with about three digits that count, and thousands set apart."""
    if number is None:
        return "-"
    size = abs(number)
    decimals = 0 if size >= 100 or size == 0 else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{number:,.{decimals}f}"


def spread(value):
    if not value:
        return "-"
    if value["low"] == value["high"]:
        return figure(value["median"])
    return f"{figure(value['median'])} ({figure(value['low'])}..{figure(value['high'])})"


def table(head, rows):
    line = lambda cells: "| " + " | ".join(cells) + " |"  # noqa: E731
    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)])


def setting(of):
    return ", ".join(f"{name} {value:g}" for name, value in of.items())


def rate(result, key):
    found = result.get("searches", {}).get(key)
    return spread(found["rate"]) if found else None


def searched(result, field, target, threads):
    """The rate of a kind of search, or why there is none."""
    shown = rate(result, f"{field or 'all'} {target} {threads}")
    if shown:
        return shown
    if result.get("filters") and field:
        return "-"
    tried = result["variants"].get(result["variant"], {}).get("sweep", [])
    if field:
        tried = result.get("filtered_sweeps", {}).get(field, {}).get("sweep", [])
    return f"not reached ({max(row['recall'] for row in tried):.3f})" if tried else "-"


def written(result, durability):
    found = result.get("ingest", {}).get(durability)
    return spread(found) if found else "-"


def main_row(name, result):
    chosen = result["variants"].get(result["variant"], {})
    if "build" in chosen:
        memory = chosen["memory"]
        seconds = sum(chosen["build"]["seconds"].values())
        adds = chosen["build"]["rows"] / seconds
        sizes = [memory["peak_anon"] / MIB, memory["high_water"] / MIB, chosen["disk"] / MIB]
    else:
        index = result.get("index", {})
        seconds, adds = index.get("seconds"), None
        sizes = [index.get(name) and index[name] / MIB for name in ("peak_anon", "high_water", "disk")]
    if result["stores"]:
        rates = [written(result, "sync"), written(result, "os")]
    else:
        rates = ["not durable", f"{figure(adds)} in memory"]
    return [
        name,
        result["variant"],
        *rates,
        figure(seconds),
        *(searched(result, None, target, threads) for target in TARGETS for threads in range(1, THREADS + 1)),
        *(searched(result, field, FILTER_TARGET, 1) for field in FIELDS),
        *map(figure, sizes),
    ]


HEAD = [
    "",
    "as",
    "vectors/s, sync",
    "vectors/s, os",
    "first vector to indexed, s",
    *(f"queries/s at {target}, {threads} thread{'s' * (threads > 1)}" for target in TARGETS for threads in range(1, THREADS + 1)),
    *(f"{100 / of:g}% match, queries/s at {FILTER_TARGET}" for of in FIELDS.values()),
    "peak RssAnon MiB",
    "VmHWM MiB",
    "disk MiB",
]


def knobs(peers):
    """The settings that were taken, with their recall."""
    rows = []
    for name, result in peers.items():
        cells = []
        for field, target in [*((None, target) for target in TARGETS), *((field, FILTER_TARGET) for field in FIELDS)]:
            found = result.get("searches", {}).get(f"{field or 'all'} {target} 1")
            if not found:
                cells.append("-")
                continue
            recall = found["recall"] and found["recall"]["median"]
            shown = f"{recall:.3f}" if recall is not None else ""
            cells.append(f"{setting(found['setting'])}: {shown}" if found["setting"] else shown)
        rows.append([name, *cells])
    head = ["", *(f"at {target}" for target in TARGETS), *(f"{100 / of:g}% match" for of in FIELDS.values())]
    return table(head, rows)


def variants(peers):
    """All that was built, also what was not taken."""
    rows = []
    for name, result in peers.items():
        for variant, found in result["variants"].items():
            if "failed" in found:
                rows.append([name, variant, f"failed: {found['failed']}", "", "", "", ""])
                continue
            taken = found.get("taken", {})
            rates = [figure(row["rate_by_cpu"]) if row else "not reached" for row in taken.values()]
            mark = "yes" if variant == result["variant"] else ""
            seconds = found["build"]["seconds"]
            rows.append([name, variant, figure(sum(seconds.values())), figure(found["build"]["cpu_seconds"]), *rates, mark])
    head = ["", "variant", "indexed, s", "CPU s", *(f"queries per CPU second at {target}" for target in TARGETS), "taken"]
    return table(head, rows)


def held_up(peers):
    """Legs that had less than half of the cores they were given in some round: other work, or a pause.
    Nothing is left out for it; the reader is told."""
    found = []
    for name, result in peers.items():
        for key, leg in result.get("searches", {}).items():
            threads = int(key.rsplit(" ", 1)[1])
            if leg.get("cores") and leg["cores"]["low"] < threads / 2:
                found.append(f"- {name}, {key}: {figure(leg['cores']['low'])} cores in one round")
        for variant, built in result["variants"].items():
            if "build" in built:
                wall, cpu = sum(built["build"]["seconds"].values()), built["build"]["cpu_seconds"]
                if cpu < wall / 2:
                    found.append(f"- {name}, building {variant}: {figure(cpu / wall)} cores")
    return found


def one_set(name, found):
    if "missing" in found:
        return f"### {name}\n\nNot measured: {found['missing']}"
    spec = found["spec"]
    order = ["nearfield", *VARIANTS]
    peers = dict(sorted(found["peers"].items(), key=lambda item: order.index(item[0])))
    parts = [
        f"### {name}: {spec['rows']:,} x {spec['dimension']}, {spec['metric']}, {spec['query_count']:,} queries",
        f"Load {found['load_before']} before, {found.get('load_after', '?')} after.",
        table(HEAD, [main_row(*item) for item in peers.items()]),
        "Settings and recall@10, one thread:",
        knobs({name: result for name, result in peers.items() if result.get("searches")}),
        "What was built:",
        variants(peers),
    ]
    if slowed := held_up(peers):
        parts.append("Had less than half of their cores, so believe these rates less:\n\n" + "\n".join(slowed))
    if found["not_run"]:
        parts.append("Not run:\n\n" + "\n".join(f"- {peer}: {reason}" for peer, reason in found["not_run"].items()))
    return "\n\n".join(parts)


def markdown(results):
    on, options = results["machine"], results["options"]
    packages = ", ".join(f"{package} {version}" for package, version in results["versions"].items())
    intro = (
        f"{on['date']}, {on['cores']} x {on['processor']} ({', '.join(on['vectors'])}), {on['memory_gib']} GiB, "
        f"{on['file_system']}, {on['system']}, Python {on['python']}, SQLite {on['sqlite']}; "
        f"load {results['load_before']} before, {results.get('load_after', '?')} after; "
        f"{options['rounds']} rounds, {options['seconds']} s per leg.\n\n{packages}"
    )
    stores = {}
    for found in results["sets"].values():
        for name, result in found.get("peers", {}).items():
            stores.update({(name, mode): how for mode, how in result.get("durability", {}).items()})
    how = "\n".join(f"- {name}, {mode}: {text}" for (name, mode), text in stores.items())
    sets = [one_set(*item) for item in results["sets"].items()]
    acknowledged = [f"Acknowledged by:\n\n{how}"] if how else []
    return "\n\n".join([intro, *sets, *acknowledged]) + "\n"


def main():
    path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent / "results.json")
    print(markdown(json.loads(path.read_text())), end="")


if __name__ == "__main__":
    main()
