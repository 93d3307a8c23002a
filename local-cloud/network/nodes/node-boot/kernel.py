"""System calls that Python's library lacks."""

import ctypes
import os

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_CAPBSET_DROP = 24

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target, kind=None, flags=0, options=None):
    as_bytes = [text.encode() if text else None for text in (source, target, kind, options)]
    check(libc.mount(as_bytes[0], as_bytes[1], as_bytes[2], ctypes.c_ulong(flags), as_bytes[3]), f"mount {target}")


def set_hostname(name):
    encoded = name.encode()
    check(libc.sethostname(encoded, len(encoded)), "sethostname")


def drop_capability(number):
    check(libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), "prctl")


def pivot_root_here():
    """Makes the working directory the root; the machine's own is gone."""
    check(libc.pivot_root(b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "umount of the machine's root")
    os.chdir("/")
