"""The examples of the docstrings and of the README, and the tutorial, run."""

import doctest
import inspect
import re
import runpy

import nearfield
from nearfield import _async

from conftest import ROOT

FLAGS = doctest.NORMALIZE_WHITESPACE


def texts():
    """The docstrings of the package: of its classes, functions and methods."""
    yield "nearfield", nearfield.__doc__
    for name in nearfield.__all__:
        public = getattr(nearfield, name)
        yield name, getattr(public, "__doc__", None)
        if inspect.isclass(public):
            for member, value in vars(public).items():
                yield f"{name}.{member}", getattr(value, "__doc__", None)


def test_the_examples_of_the_docstrings_run():
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=FLAGS)
    examples = 0
    for name, text in texts():
        test = parser.get_doctest(inspect.cleandoc(text or ""), {}, name, None, None)
        if test.examples:
            examples += 1
            runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    assert examples > 12


def test_all_that_is_public_is_said():
    for name, text in texts():
        member = name.rpartition(".")[2]
        if member[0].isupper() or name in ("connect", "connect_async"):
            assert text, name
    for kind in (nearfield.Database, nearfield.Collection, nearfield.Reservation, nearfield.Hits):
        for member, value in vars(kind).items():
            assert member.startswith("_") or value.__doc__, f"{kind.__name__}.{member}"


def test_the_twin_has_all_calls():
    def calls(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    assert calls(nearfield.Database) - calls(_async.AsyncDatabase) == set()
    missing = calls(nearfield.Collection) - calls(_async.AsyncCollection)
    assert missing == {"database", "scan_page"}


def test_the_examples_of_the_readmes_run_and_run_again(tmp_path, monkeypatch):
    setup = """
import numpy as np
ids = np.arange(100)
vectors = np.random.default_rng(1).standard_normal((100, 384))
rows = [{"year": 1950 + at} for at in range(100)]
query, matrix = vectors[0], vectors[:3]
"""
    for number, readme in enumerate((ROOT / "bindings/python/README.md", ROOT / "README.md")):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        for block in re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL):
            if "nearfield.connect" in block:
                for _ in range(2):  # a quick start is run again
                    exec(compile(setup + block, str(readme), "exec"), {"__name__": "readme"})


def test_the_tutorial_runs_and_runs_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        runpy.run_path(str(ROOT / "examples/python/tutorial.py"), run_name="__main__")
        assert "nearest" in capsys.readouterr().out
