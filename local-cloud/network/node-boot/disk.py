"""The node's disk: an overlay on the machine's root file system that hides what is the machine's own."""

import os
import shutil
import stat

from kernel import mount

STANDARD_ENTRIES = set(
    "bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var".split()
)
PRIVATE_FOLDERS = (
    "/root /home /tmp /mnt /media /srv /opt /boot /etc/ssh /etc/sudoers.d /usr/local/bin /usr/local/sbin"
    " /var/tmp /var/log /var/mail /var/spool /var/backups"
).split()
PRIVATE_FILES = "/etc/gshadow /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow-".split()


def hide(upper, path):
    """Makes a folder of the machine start out empty on the node; what the node writes there stays on its disk."""
    below = upper
    lower = "/"
    for name in path.strip("/").split("/"):
        below, lower = os.path.join(below, name), os.path.join(lower, name)
        if os.path.islink(lower) or not os.path.isdir(lower):
            return
        if os.path.lexists(below):
            if not os.path.isdir(below) or is_opaque(below):
                return
            continue
        os.mkdir(below)
        shutil.copystat(lower, below)
        status = os.stat(lower)
        os.chown(below, status.st_uid, status.st_gid)
    os.setxattr(below, "trusted.overlay.opaque", b"y")


def is_opaque(path):
    try:
        return os.getxattr(path, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


def whiteout(upper, path):
    below = os.path.join(upper, path.lstrip("/"))
    if os.path.lexists(path) and not os.path.lexists(below):
        os.makedirs(os.path.dirname(below), exist_ok=True)
        os.mknod(below, stat.S_IFCHR, os.makedev(0, 0))


def prepare_disk(upper, folders):
    """Hides what is the machine's own. Done at every boot: the machine may have got new folders meanwhile."""
    for name in os.listdir("/"):
        if name not in STANDARD_ENTRIES:
            whiteout(upper, "/" + name)
    for path in PRIVATE_FOLDERS + folders:
        hide(upper, os.path.realpath(path))
    for path in PRIVATE_FILES:
        whiteout(upper, path)


def mount_root(directory):
    for name in ("upper", "work", "root"):
        os.makedirs(os.path.join(directory, name), exist_ok=True)
    os.chdir(directory)  # relative paths need no escaping in the mount's options
    mount("overlay", "root", "overlay", 0, "lowerdir=/,upperdir=upper,workdir=work")
    os.chdir("root")
