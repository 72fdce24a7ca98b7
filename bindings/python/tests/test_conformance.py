"""The cases that every door answers alike, through the calls of Python."""

import base64
import json
import math

import numpy as np
import pytest

import nearfield

from conftest import IN_FILES, ROOT

CASES = {path.stem: json.loads(path.read_text()) for path in (ROOT / "conformance" / "cases").glob("*.json")}


def cases_and_doors():
    """Each case with each door that has what it needs."""
    for name, case in sorted(CASES.items()):
        doors = IN_FILES if "files" in case.get("needs", []) else [":memory:", *IN_FILES]
        for door in doors:
            yield pytest.param(case, door, id=f"{name}-{door}")


class Caller:
    """Makes the call of Python for a request of the wire, and the wire's response of its answer."""

    def __init__(self, db):
        self.db = db

    def create_collection(self, collection, **rest):
        return {"collection": self.db.create_collection(collection, **rest).name}

    def drop_collection(self, collection):
        self.db.drop_collection(collection)
        return {"collection": collection}

    def list_collections(self, **rest):
        return {"collections": self.db.collections(**rest)}

    def describe_collection(self, collection):
        told = self.db[collection].describe()
        fields = [vars(field) for field in told.fields]
        described = {**vars(told), "unindexed_fields": list(told.unindexed_fields), "fields": fields}
        return {name: value for name, value in described.items() if name not in ("index", "damage")}

    def upsert(self, collection, **rest):
        done = self.db[collection].upsert(**with_arrays(rest))
        return {"upserted": done.upserted, "sequence": done.sequence}

    def get(self, collection, ids=None, **rest):
        points = self.db[collection].get([] if ids is None else ids, **rest)
        return {"points": [None if point is None else point_of(point) for point in points]}

    def delete(self, collection, **rest):
        done = self.db[collection].delete(**rest)
        return {"deleted": done.deleted, "sequence": done.sequence}

    def update_metadata(self, collection, **rest):
        done = self.db[collection].update_metadata(**rest)
        return {"updated": done.updated, "sequence": done.sequence}

    def search(self, collection, **rest):
        found = self.db[collection].search(**with_arrays(rest))
        rows = [found] if isinstance(found, nearfield.Hits) else found
        answer = {"results": [[{**point_of(hit), "score": hit.score} for hit in row] for row in rows]}
        if found.explanation is not None:
            answer["explained"] = found.explanation
        return answer

    def scan(self, collection, **rest):
        page = self.db[collection].scan_page(**rest)
        return {"points": [point_of(point) for point in page.points], "next": page.next}

    def count(self, collection, **rest):
        return {"count": self.db[collection].count(**rest)}

    def flush(self, collection):
        return {"sequence": self.db[collection].flush()}

    def compact(self, collection):
        done = self.db[collection].compact()
        return {name: getattr(done, name) for name in ("files", "bytes_before", "bytes_after")}

    def snapshot(self, collection, **rest):
        done = self.db[collection].snapshot(**rest)
        return {name: getattr(done, name) for name in ("path", "sequence", "count", "bytes")}


def with_arrays(request):
    """The binary form of vectors is an array in Python."""
    vectors = request.get("vectors")
    if isinstance(vectors, dict):
        values = np.frombuffer(base64.b64decode(vectors["f32"]), dtype="<f4")
        rows = len(request["ids"]) if "ids" in request else 1
        request["vectors"] = values.reshape(rows, -1)
    return request


def point_of(point):
    """A point or a hit as the wire has it: what is not there is left out."""
    told = {"id": point.id}
    if point.vector is not None:
        told["vector"] = point.vector.tolist()
    if point.metadata is not None:
        told["metadata"] = point.metadata
    return told


def alike(expected, found):
    """Whether an answer is the expected one: numbers are near, and a star is whatever is there."""
    if expected == "*":
        return found is not None
    if isinstance(expected, dict):
        return isinstance(found, dict) and expected.keys() == found.keys() and all(
            alike(value, found[name]) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(found, list) and len(expected) == len(found) and all(
            map(alike, expected, found)
        )
    if isinstance(expected, float) or isinstance(found, float):
        return math.isclose(expected, found, rel_tol=1e-5, abs_tol=1e-6)
    return type(expected) is type(found) and expected == found


def is_expected(expected, error):
    """Whether an exception is the expected error. What the signature refuses names its argument."""
    if isinstance(error, nearfield.Error):
        return error.kind == expected["kind"] and all(
            expected[name] == getattr(error, name) for name in ("row", "field") if name in expected
        )
    named = (f"'{expected.get('field', '')}'", "takes no keyword arguments")
    said = " ".join([str(error), *getattr(error, "__notes__", [])])
    by_signature = isinstance(error, TypeError) and any(name in said for name in named)
    return by_signature and expected["kind"] == "invalid_argument"


def fill_in(request, saved):
    text = json.dumps(request)
    for name, value in saved.items():
        text = text.replace(json.dumps(f"${name}"), json.dumps(value))
    return json.loads(text)


def has_call(request):
    """Some refused requests cannot be said in Python at all."""
    return len(request) == 1 and all(hasattr(Caller, verb) for verb in request)


@pytest.mark.parametrize(("case", "anywhere"), cases_and_doors(), indirect=["anywhere"])
def test_every_door_answers_alike(case, anywhere):
    caller = Caller(anywhere)
    saved = {}
    for number, step in enumerate(case["steps"], 1):
        request = fill_in(step["request"], saved)
        if not has_call(request):
            assert step["error"]["kind"] == "invalid_argument"
            continue
        ((verb, body),) = request.items()
        place = f"step {number}: {json.dumps(request)[:200]}"
        try:
            answer = getattr(caller, verb)(**body)
        except Exception as error:  # what is wrong about it is said below
            assert "error" in step, f"{place}: {error!r}"
            assert is_expected(step["error"], error), f"{place}: {step['error']}, found {error!r}"
        else:
            assert "response" in step, f"{place}: {step.get('error')}, found {answer}"
            assert alike(step["response"][verb], answer), f"{place}: found {answer}"
            for name, pointer in step.get("save", {}).items():
                saved[name] = answer[pointer.rsplit("/", 1)[1]]


def test_the_cases_are_there():
    assert len(CASES) > 20
