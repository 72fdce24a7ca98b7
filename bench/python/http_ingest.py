"""How many vectors per second a plain Python script stores through the HTTP door.

Starts `nearfield serve` on a folder of its own, and sends batches one after the other over one
connection of `requests`: as JSON made by orjson, and as MessagePack with one `bin` for the ids and
one for the vectors. A collection per round and way; the ways alternate.

    cargo build --release -p nearfield-cli
    pip install -r bench/python/requirements.txt
    python bench/python/http_ingest.py
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import msgpack
import numpy
import orjson
import requests


def as_json(ids, vectors, durability):
    body = {"ids": ids, "vectors": vectors, "durability": durability}
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def as_messagepack(ids, vectors, durability):
    return msgpack.packb({"ids": ids.tobytes(), "vectors": vectors.tobytes(), "durability": durability})


WAYS = {
    "json": (as_json, "application/json"),
    "msgpack": (as_messagepack, "application/msgpack"),
}


class Server:
    """`nearfield serve` in a process and a folder of its own."""

    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory()
        command = [program, "--json", "serve", self.folder.name + "/data", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.url = json.loads(self.process.stdout.readline())["url"]

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def ingest(server, name, way, vectors, batch, durability):
    """Wall seconds, and CPU seconds of this process and of the server."""
    encode, media_type = WAYS[way]
    collection = f"{server.url}/v1/collections/{name}"
    session = requests.Session()
    schema = {"dimension": vectors.shape[1], "metric": "euclidean"}
    session.put(collection, json=schema).raise_for_status()
    headers = {"content-type": media_type, "accept": media_type}
    ids = numpy.arange(len(vectors), dtype="<u8")
    start, own, others = time.perf_counter(), time.process_time(), server.cpu_seconds()
    for first in range(0, len(vectors), batch):
        rows = slice(first, first + batch)
        body = encode(ids[rows], vectors[rows], durability)
        session.post(f"{collection}/upsert", data=body, headers=headers).raise_for_status()
    seconds = time.perf_counter() - start
    own, others = time.process_time() - own, server.cpu_seconds() - others
    count = session.post(f"{collection}/count", json={}).json()["count"]
    assert count == len(vectors), f"{count} of {len(vectors)} vectors are there"
    session.delete(collection).raise_for_status()
    return seconds, own, others


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="target/release/nearfield")
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--durability", choices=["os", "sync"], default="os")
    parser.add_argument("--way", action="append", choices=list(WAYS))
    arguments = parser.parse_args()

    vectors = numpy.random.default_rng(7).standard_normal((arguments.vectors, arguments.dim))
    vectors = vectors.astype("<f4")
    ways = arguments.way or list(WAYS)
    measured = {way: [] for way in ways}
    server = Server(arguments.program)
    try:
        for round_number in range(arguments.rounds):
            for way in ways:
                name = f"{way}-{round_number}"
                times = ingest(server, name, way, vectors, arguments.batch, arguments.durability)
                measured[way].append(times)
    finally:
        server.end()

    print(
        f"{arguments.vectors} x {arguments.dim}, batches of {arguments.batch}, "
        f"durability {arguments.durability}, {arguments.rounds} rounds"
    )
    print(f"{'way':8} {'vectors/s':>10} {'lowest':>10} {'client us/vector':>17} {'server us/vector':>17}")
    for way, rounds in measured.items():
        rates = [arguments.vectors / seconds for seconds, _, _ in rounds]
        own, others = (
            1e6 * statistics.median(times[part] for times in rounds) / arguments.vectors
            for part in (1, 2)
        )
        print(f"{way:8} {statistics.median(rates):10,.0f} {min(rates):10,.0f} {own:17.2f} {others:17.2f}")


if __name__ == "__main__":
    main()
