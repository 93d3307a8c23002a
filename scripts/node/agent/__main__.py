#!/usr/bin/env python3
"""Runs one rank of a training on this node, detached from the SSH session that started it.

    python3 ~/.crosszone/agent SUBCOMMAND        arguments as one JSON object on stdin

    fetch   downloads files, or takes uploaded ones, and verifies their SHA-256
    launch  starts a rank; nothing happens if it runs or has succeeded already
    status  says what became of a rank, with the last lines of its log
    stop    ends a rank; fine if nothing runs
    follow  shows the log of a rank live until it ends, launching it first if asked to
    logs    shows the log of a rank, of the last seconds only or as it grows if asked to
    metrics tells what the ranks that a launch started noted of their steps

Each but `logs` prints one JSON document as its last line on stdout. Errors go to stderr, with an exit code other than 0.
Only Python's standard library is used, from 3.8 on.
"""
import json
import os
import sys

# The folder is uploaded as it is: a cache in it would make another upload of the same code.
sys.dont_write_bytecode = True

from causes import full_disk
from checks import AgentError
from fetch import fetch
from launch import launch, status, stop
from logs import follow, logs
from metrics import metrics

SUBCOMMANDS = {"fetch": fetch, "launch": launch, "status": status, "stop": stop, "follow": follow, "logs": logs,
               "metrics": metrics}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in SUBCOMMANDS:
        print(f"agent: give one of {', '.join(SUBCOMMANDS)}, and its arguments as JSON on stdin", file=sys.stderr)
        return 2
    name = sys.argv[1]
    try:
        try:
            arguments = json.load(sys.stdin)
        except ValueError as error:
            raise AgentError(f"stdin is not JSON ({error}); give the arguments as one JSON object") from error
        if isinstance(arguments, dict):
            arguments.pop("instance", None)  # the caller's: arguments that name the node differ for a new node
        answer = SUBCOMMANDS[name](arguments)
        if answer is not None:
            print(json.dumps(answer), flush=True)
        return 0 if name != "follow" or answer["state"] == "succeeded" else 1
    except BrokenPipeError:  # who followed is gone; the rank goes on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (AgentError, OSError) as error:
        full = full_disk(os.path.expanduser("~")) if isinstance(error, OSError) else None
        print(f"agent {name}: {error}{'' if full is None else f'; {full}'}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
