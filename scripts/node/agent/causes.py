"""Why a rank failed that cannot say so itself: its node's disk is full, or a signal has ended it."""
import contextlib
import os
import re
import signal

FULL_BYTES = 4 << 20  # less than that is no room for a state, a log or a checkpoint
TO_LOWER = ("Lower crosszone:training.batchSize or the ranks of a node (crosszone:training.gpusPerNode), or take a shape with more "
            "memory (crosszone:zones[].shape)")
CRASHES = {
    signal.SIGSEGV: "PyTorch and the node's driver or libraries may not fit each other",
    signal.SIGBUS: "shared memory was full, or a file that it had mapped was cut",
    signal.SIGILL: "PyTorch was built for another processor",
    signal.SIGFPE: "a division in native code",
}


class Causes:
    """Watches a node's memory while a rank runs."""

    def __init__(self):
        self.kills, self.least = oom_kills(), available_memory()

    def tick(self):
        self.least = min(self.least, available_memory())

    def explain(self, code, lines):
        """What a signal that ended a rank means; None where its exit code is its own."""
        # torchrun ends with 1 and says what became of its ranks.
        told = re.findall(r"exitcode\s*: -(\d+)", "\n".join(lines))
        number = int(told[0]) if told else code - 128
        if number == signal.SIGKILL:
            return self.explain_kill()
        if number in CRASHES:
            shm = "" if number != signal.SIGSEGV and number != signal.SIGBUS else \
                "; in a container too little shared memory does it too (crosszone:training.container.options: [--shm-size, 1g])"
            return f"it crashed in native code ({signal.Signals(number).name}): {CRASHES[signal.Signals(number)]}{shm}"
        return None

    def explain_kill(self):
        memory = f"the node has {in_gib(total_memory())} of memory, of which {in_gib(self.least)} were free at the least"
        kills = oom_kills()
        if kills is None or self.kills is None:
            return f"it was killed (SIGKILL), by somebody or by the kernel for want of memory: {memory}. {TO_LOWER}"
        if kills > self.kills:
            return f"the kernel's OOM killer has ended a process of this node, since memory ran out: {memory}. {TO_LOWER}"
        return f"it was killed (SIGKILL) by somebody, not by the kernel for want of memory: {memory}"


def full_disk(folder):
    """That the disk of a folder is full, and what to do; None while there is room, for all users."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    free = disk.f_bavail * disk.f_frsize
    if free >= FULL_BYTES and (disk.f_files == 0 or disk.f_favail > 0):
        return None
    what = f"{free >> 10} KiB of {in_gib(disk.f_blocks * disk.f_frsize)} are free" if free < FULL_BYTES else "no file can be made"
    return (f"the disk of this node is full: {what} at {folder}. Delete what is not needed, e.g. runs of before in "
            "~/.crosszone/runs, or make its disk larger (console: resize)")


def in_gib(size):
    return f"{size / (1 << 30):.1f} GiB"


def fields(path):
    """The numbers of a file like /proc/meminfo, by their names."""
    found = {}
    with contextlib.suppress(OSError), open(path) as file:
        for line in file:
            name, number, *_ = line.replace(":", " ").split()
            found[name] = int(number)
    return found


def total_memory():
    return fields("/proc/meminfo").get("MemTotal", 0) << 10


def available_memory():
    return fields("/proc/meminfo").get("MemAvailable", 0) << 10


def oom_kills():
    """How many processes the kernel has ended for want of memory; None before Linux 4.13."""
    return fields("/proc/vmstat").get("oom_kill")
