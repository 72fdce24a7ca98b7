"""What the figures were measured on."""

import importlib.metadata
import os
import platform
import sqlite3
import subprocess
import time
from pathlib import Path


def load():
    return " ".join(Path("/proc/loadavg").read_text().split()[:3])


def field(path, name):
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return "unknown"


def file_system(path):
    """The type of the longest mount point above a path."""
    path = Path(path).resolve()
    found = ("", "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split(" ")
        if path.is_relative_to(point) and len(point) > len(found[0]):
            found = (point, kind)
    return found[1]


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def describe(scratch):
    flags = field("/proc/cpuinfo", "flags").split()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "vectors": [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512vbmi") if flag in flags],
        "memory_gib": round(int(field("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "file_system": file_system(scratch),
        "system": output("uname", "-sr"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def versions(packages):
    found = {}
    for package in sorted(set(packages)):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit(program):
    """The commit that is checked out where a program was built."""
    return output("git", "-C", str(Path(program).resolve().parent), "describe", "--always", "--dirty")
