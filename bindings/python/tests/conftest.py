"""What the tests share: stores of every kind that is at hand."""

import os
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


def server_program():
    """The program `nearfield` that the steps of the tests have built, if it is there."""
    named = os.environ.get("NEARFIELD_PROGRAM")
    return Path(named) if named else None


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of a server with an empty store."""
    program = server_program()
    if program is None:
        pytest.skip("NEARFIELD_PROGRAM names no program that serves")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = tmp_path_factory.mktemp("served")
    command = [program, "serve", path / "store", "--listen", f"127.0.0.1:{port}"]
    serving = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_until_ready(serving, port)
        yield f"127.0.0.1:{port}"
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


@pytest.fixture(params=[":memory:", "path", "http", "http-json", "grpc"])
def anywhere(request, tmp_path):
    """An empty store behind each door."""
    options = {}
    if request.param == "path":
        target = tmp_path / "store"
    elif request.param == ":memory:":
        target = ":memory:"
    else:
        address = request.getfixturevalue("server")
        target = f"{request.param.split('-')[0]}://{address}"
        options["json"] = request.param == "http-json"
    with nearfield.connect(target, **options) as db:
        yield db
        if not db.closed:
            for name in db:
                del db[name]
