"""Runs the scenarios of an official client, and reports each with everything that the client printed."""

import contextlib
import io
import json
import sys
import time
import traceback

scenarios = []


def scenario(function):
    scenarios.append(function)
    return function


def same(actual, expected):
    assert actual == expected, "got %r, expected %r" % (actual, expected)


def fields(document, *names):
    return tuple(document[name] for name in names)


def wait(condition, what):
    """Asks again until it holds; the first truth is the answer."""
    deadline = time.time() + 20
    while time.time() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError("not within 20 s: %s" % what)


def run():
    results = []
    for function in scenarios:
        said = io.StringIO()
        error = None
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                function()
            except BaseException:  # a client may end the process
                error = traceback.format_exc()
        results.append({"name": function.__name__, "error": error, "said": said.getvalue()[-20000:]})
    json.dump({"results": results}, sys.stdout)
