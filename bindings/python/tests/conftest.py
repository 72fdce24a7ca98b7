"""What the tests share: stores of every kind that is at hand."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import nearfield

# A shell that starts the tests in the background has interrupts ignored, and Python leaves it so.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def db():
    """An empty store in memory."""
    with nearfield.connect(":memory:") as db:
        yield db


@pytest.fixture
def docs(db):
    """An empty collection of two dimensions."""
    return db.create_collection("docs", dimension=2, metric="euclidean")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with an empty store: its address, and the folder of the store."""
    program = os.environ.get("NEARFIELD_PROGRAM")
    if not program:
        pytest.fail("NEARFIELD_PROGRAM has to name the program; cargo xtask test --only python sets it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = tmp_path_factory.mktemp("served") / "store"
    command = [program, "serve", store, "--listen", f"127.0.0.1:{port}"]
    serving = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_until_ready(serving, port)
        yield f"127.0.0.1:{port}", store
    finally:
        serving.terminate()
        serving.wait()


def _wait_until_ready(serving, port):
    for _ in range(400):
        assert serving.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("the server is not ready after 20 seconds")


# Doors to a store in files: in this process, and to the process that serves it.
IN_FILES = ["path", "shm", "unix", "http", "http-json", "grpc"]


@pytest.fixture(params=[":memory:", *IN_FILES])
def anywhere(request, tmp_path):
    """An empty store behind each door."""
    door, options = request.param, {}
    if door == ":memory:":
        target = door
    elif door == "path":
        target = tmp_path / "store"
    else:
        address, store = request.getfixturevalue("server")
        scheme = door.split("-")[0]
        target = f"{scheme}:{store}" if scheme in ("shm", "unix") else f"{scheme}://{address}"
        options["json"] = door == "http-json"
        # What an earlier case has left behind.
        shutil.rmtree(store / "snapshots", ignore_errors=True)
    with nearfield.connect(target, **options) as db:
        yield db
        if not db.closed:
            for name in db:
                del db[name]
