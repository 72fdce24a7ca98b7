"""Workers seen from the harness: starts them, asks them, watches their memory."""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from settings import THREADS

HERE = Path(__file__).resolve().parent
SAMPLE_SECONDS = 0.01
# No pool that a peer brings is larger than this, and idle threads sleep.
ENVIRONMENT = {
    name: str(THREADS)
    for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS",
        "TOKIO_WORKER_THREADS", "LANCE_CPU_THREADS", "LANCE_IO_THREADS",
    )
} | {"OMP_WAIT_POLICY": "PASSIVE", "RUST_LOG": "error", "PYTHONUNBUFFERED": "1"}  # fmt: skip


class Failed(Exception):
    """A peer could not do what it was asked."""


def memory(pid):
    """RssAnon and VmHWM of a process in bytes."""
    found = {"RssAnon": 0, "VmHWM": 0}
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in found:
                    found[name] = int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # it has ended
    return found


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Process:
    """One worker. Its store lies in a folder of its own, which goes when it ends."""

    def __init__(self, peer, variant, spec, scratch, limit):
        self.name = f"{peer} {variant.name}"
        self.limit = limit
        self.folder = scratch / f"{peer}-{os.getpid()}-{time.monotonic_ns()}"
        self.log = self.folder.with_suffix(".log")
        self.folder.mkdir(parents=True)
        start = {"peer": peer, "parameters": variant.parameters, "spec": spec, "folder": str(self.folder)}
        self.child = subprocess.Popen(
            [sys.executable, HERE / "worker.py", json.dumps(start)],
            cwd=HERE, env=os.environ | ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log.open("w"), text=True, preexec_fn=die_with_parent,
        )  # fmt: skip
        self.peak = 0
        try:
            self.answer(120)
        except Failed:
            self.close()
            raise
        self.before = memory(self.child.pid)["RssAnon"]
        self.peak = 0

    def ask(self, do, **what):
        """Sends a command and waits for its answer; the memory is watched meanwhile."""
        try:
            self.child.stdin.write(json.dumps({"do": do} | what) + "\n")
            self.child.stdin.flush()
        except OSError:
            raise Failed(self.last_words()) from None
        return self.answer(self.limit)

    def answer(self, limit):
        until = time.monotonic() + limit
        while not select.select([self.child.stdout], [], [], SAMPLE_SECONDS)[0]:
            self.peak = max(self.peak, memory(self.child.pid)["RssAnon"])
            if time.monotonic() > until:
                raise Failed(f"took longer than {limit:.0f} s")
        line = self.child.stdout.readline()
        if not line:
            raise Failed(self.last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def memory(self):
        """Bytes since the start: the peak of anonymous memory less what was there before the peer was
        opened, the same at rest, and the highest resident size of the whole process."""
        now = memory(self.child.pid)
        return {
            "peak_anon": max(self.peak, now["RssAnon"]) - self.before,
            "anon": now["RssAnon"] - self.before,
            "before": self.before,
            "high_water": now["VmHWM"],
        }

    def last_words(self):
        self.child.wait()
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"ended with {self.child.returncode}: {lines[-1][-300:] if lines else ''}"

    def close(self):
        self.child.kill()
        self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.log.unlink(missing_ok=True)
