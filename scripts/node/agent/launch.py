"""Starts, ends and looks at ranks."""
import contextlib
import glob
import os
import signal
import subprocess
import time

from causes import full_disk
from checks import REQUIRED, AgentError, check, check_strings
from interfaces import interfaces
from link import check_link, set_up
from rank import Rank, is_alive, runs_directory
from supervise import STOP_GRACE, await_start, start

POLL_SECONDS = 0.05
PATIENCE = 60  # seconds that rank 0 is waited for
END_SECONDS = 10  # for a process after SIGKILL


def check_launch(arguments, needed=("runId", "rank", "argv", "directory")):
    types = {"runId": str, "rank": int, "argv": list, "directory": str, "environment": dict,
             "maxSeconds": (int, float), "restart": bool, "container": dict, "ranks": list, "group": dict,
             "patience": (int, float), "link": dict, "silence": (int, float), "crew": list}
    defaults = {"environment": {}, "restart": False, "patience": PATIENCE, "link": {}}
    return check(arguments, **{name: (kind, REQUIRED if name in needed else defaults.get(name))
                               for name, kind in types.items()})


def launch(arguments):
    """`ranks` are those that the command starts, where it starts several (torchrun); `rank` is the first of them.

    `link` is set up each time, also for a rank that runs: it disturbs none. `crew` says which nodes the run has, by what is
    on their disks and their last boot: where it differs, ranks of before wait for one that will never come.
    """
    (run_id, rank, argv, directory, environment, max_seconds, restart, container, ranks, group,
     patience, link, silence, crew) = check_launch(arguments)
    check_strings("argv", argv)
    check_strings("environment", [text for pair in environment.items() for text in pair])
    directory = os.path.expanduser(directory)
    argv = [os.path.expanduser(word) if word.startswith("~/") else word for word in argv]
    if not argv:
        raise AgentError("argv is empty; it must name the program to start")
    if not os.path.isdir(directory):
        raise AgentError(f"the directory {directory} does not exist on this node; fetch the files into it first")
    if max_seconds is not None and max_seconds <= 0:
        raise AgentError(f"maxSeconds is {max_seconds}; it must be more than 0")
    if group is not None:
        check(group, address=(str, REQUIRED), port=(int, REQUIRED), rendezvousPort=(int, REQUIRED), size=(int, REQUIRED))

    _, _, sockets = check_link(link)

    stop_other_runs(run_id)
    set_up(link)
    this = Rank(run_id, rank)
    os.makedirs(this.metrics, exist_ok=True)
    environment = {"PYTHONUNBUFFERED": "1", "CHECKPOINT_DIR": this.checkpoints, "METRICS_DIR": this.metrics,
                   **interfaces(environment, sockets), **environment}
    if container is not None:
        argv = in_container(this, argv, directory, environment, container)
    order = {"argv": argv, "directory": directory, "environment": environment, "maxSeconds": max_seconds,
             "ranks": ranks or [rank], "group": group, "patience": patience, "silence": silence,
             "crew": crew}
    started = None
    with this.locked() as lock:
        state = this.read()
        ended_badly = state["state"] in ("failed", "stopped")
        if state["state"] == "absent" or (ended_badly and restart) or has_other_crew(state, crew):
            clear(this, state, container)
            if full_disk(this.directory) is not None:
                raise AgentError(f"rank {rank} was not started: {full_disk(this.directory)}")
            started = start(this, state["attempt"] + 1, order, lock)
    if started is not None:
        state = await_start(this, started)
    while state["state"] == "running" and state["pid"] is None:  # someone else's launch waits for rank 0
        time.sleep(POLL_SECONDS)
        state = this.read()
    if state["state"] == "failed" and state.get("pid") is None:
        raise AgentError(state["reason"])
    return {key: state[key] for key in ("runId", "rank", "attempt", "state", "pid")}


def has_other_crew(state, crew):
    """Whether a rank has to start again with the others, since one of the run's nodes was replaced, or has lost its rank.

    One that has succeeded is not trained again for a reboot: its results are there. A reboot that came before the rank
    started, and is known by now only, is none: what counts are the boots that the ranks themselves have told.
    """
    before = state.get("crew")
    if before is None or crew is None or before == crew:
        return False
    if not all(name for _, name in before):  # by a stack of an earlier version: its nodes had other names
        return False
    disks = [[disk for disk, _ in nodes] for nodes in (before, crew)]
    is_rebooted = {name for _, name in crew} != set(state.get("boots", {}).values())
    return disks[0] != disks[1] or (is_rebooted and state["state"] != "succeeded")


def clear(this, state, container):
    """Ends what is left of the attempt before: its supervisor may stay for a while to tell others how it ended.

    A rank that runs goes with it without a word to the others: they are started again too.
    """
    if "supervisor" in state and is_alive(state["supervisor"]):
        supervisor = state["supervisor"]["pid"]
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGSTOP)
            if state["state"] == "running" and state["pid"] is not None:
                os.killpg(state["pid"], signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGKILL)
        deadline = time.monotonic() + END_SECONDS
        while is_alive(state["supervisor"]):
            if time.monotonic() > deadline:
                raise AgentError(f"the supervisor of rank {this.rank} (process {supervisor}) does not end within {END_SECONDS} s "
                                 "of SIGKILL: restart the node")
            time.sleep(POLL_SECONDS)
    if container is not None:
        # One that outlived its client would have the name still.
        with contextlib.suppress(OSError):
            subprocess.run(["docker", "kill", this.container], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           check=False)


def in_container(this, argv, directory, environment, container):
    """The command that runs another in a container, with the node's network, and the run's files at the same paths."""
    image, options, folder = check(container, image=(str, REQUIRED), options=(list, []), directory=(str, None))
    check_strings("container.options", options)
    files = os.path.dirname(this.directory)
    # By their names alone: values come from the client's environment, where nobody sees them in a list of processes.
    variables = [word for variable in sorted(environment) for word in ("-e", variable)]
    return ["docker", "run", "--rm", "--init", "--net", "host", "--name", this.container, "-v", f"{files}:{files}",
            "-w", folder or directory, *variables, *options, image, *argv]


def stop_other_runs(run_id):
    """A node works on one run: the ranks of others are ended."""
    for folder in glob.glob(os.path.join(glob.escape(runs_directory()), "*", "rank-*")):
        other, rank = folder.split(os.sep)[-2:]
        if other != run_id:
            stop({"runId": other, "rank": int(rank[len("rank-"):])})


def stop(arguments):
    """Takes the arguments of `launch` too, so that what launched a rank can stop it with the same input."""
    run_id, rank, *_ = check_launch(arguments, needed=("runId", "rank"))
    this = Rank(run_id, rank)
    state = this.read()
    if state["state"] == "running":
        with contextlib.suppress(ProcessLookupError):
            os.kill(state["supervisor"]["pid"], signal.SIGTERM)
        deadline = time.monotonic() + STOP_GRACE + 5
        while this.read()["state"] == "running":
            if time.monotonic() > deadline:
                raise AgentError(f"rank {rank} (pid {state['pid']}) did not end within {STOP_GRACE + 5} s of the request")
            time.sleep(POLL_SECONDS)
    return this.summary(this.read())


def status(arguments):
    run_id, rank = check(arguments, runId=(str, REQUIRED), rank=(int, REQUIRED))
    this = Rank(run_id, rank)
    state = this.read()
    return {**this.summary(state), "pid": state["pid"], "log": this.log, "lines": this.tail()[0]}
