"""Answers requests from standard input, one JSON text per line: the response, or the error as
kind, row (-1 for none), field (- for none) and message, one line each way."""

from std.sys import argv

import nearfield
from nearfield.library import text_at


def main() raises:
    var target = String(":memory:")
    if len(argv()) > 1:
        target = String(argv()[1])
    var db = nearfield.connect(target)
    while True:
        var line: String
        try:
            line = input()
        except:
            break
        try:
            print("ok", db.call(line), flush=True)
        except error:
            ref library = db.library[]
            var field = text_at(library.handle.call["nf_last_error_field", Int]())
            print(
                "error",
                text_at(library.handle.call["nf_last_error_kind", Int]()),
                library.handle.call["nf_last_error_row", Int](),
                field if field else String("-"),
                text_at(library.handle.call["nf_last_error_message", Int]()),
                flush=True,
            )
