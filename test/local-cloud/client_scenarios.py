"""Runs the scenarios of an official client, and reports each with everything that the client printed."""

import contextlib
import io
import json
import os
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


class Monitored:
    """An EIP in zone gpu2a, and what was measured of it from a time on."""

    eip, start = os.environ["MONITORED"].split()
    zone, start = "gpu2a", int(start)
    compressed = [[start, [10, 20]], [1, 2], "NA", [900, [3, 4]]]
    decompressed = [
        [start, [10, 20]],
        [start + 300, [1, 2]],
        [start + 600, [None, None]],
        [start + 900, [None, None]],
        [start + 1200, [None, None]],
        [start + 1500, [3, 4]],
    ]

    @classmethod
    def time(cls, seconds, form):
        return time.strftime(form, time.gmtime(cls.start + seconds))


def run(actions):
    """@param actions all that the client can call"""
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
    json.dump({"results": results, "actions": sorted(actions)}, sys.stdout)
