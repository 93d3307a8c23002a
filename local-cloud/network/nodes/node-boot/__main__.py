"""Boots a node: makes its view of the machine and becomes its PID 1.

Runs in fresh mount, UTS, IPC and PID namespaces, inside the node's network namespace. Its specification is one JSON
document on standard input. It prints the PID that the machine knows it by; the init script prints `up` once sshd
listens.
"""

import json
import os
import sys

from container import install_container
from devices import mount_devices, mount_kernel_folders
from disk import Disk
from files import SYSTEM_PATH
from install import install
from kernel import MS_PRIVATE, MS_REC, drop_capability, mount, pivot_root_here, set_hostname
from settings import INIT, configure
from userdata import bring, start_scripts, tell

# What would reach the machine itself: its clock, its modules, its ports.
DROPPED_CAPABILITIES = {"SYS_MODULE": 16, "SYS_RAWIO": 17, "SYS_TIME": 25}


def run_script(text):
    """What fails in it is told on the console: a node boots without a disk that can not be mounted."""
    if text:
        os.spawnve(os.P_WAIT, "/bin/sh", ["sh", "-c", f"exec >&2; {text}"], {"PATH": SYSTEM_PATH})


def main():
    spec = json.load(sys.stdin)
    print(os.readlink("/proc/self"), flush=True)
    set_hostname(spec["hostname"])
    os.umask(0o022)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    disk = Disk(spec["directory"], spec["disk"])
    disk.prepare(spec["hide"], spec["contents"])
    disk.mount_here()
    mount_kernel_folders()
    mount_devices()
    pivot_root_here()
    if disk.is_new:
        install(spec["contents"]["withoutPackages"], spec["passwordHash"])
        if spec["contents"]["guide"]:
            install_container()
        bring(spec["userdata"])
        disk.mark_whole()
    configure(spec)
    tell(spec)
    run_script(spec["volumesScript"])
    for number in DROPPED_CAPABILITIES.values():
        drop_capability(number)
    os.chdir("/root")
    environment = {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"}
    os.execve("/usr/bin/tini", ["tini", "--", INIT, *start_scripts(spec["userdata"])], environment)


main()
