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
PRIVATE_FILES = "/etc/gshadow /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/rc.local".split()

# Of disks that were made before they had numbers.
EARLY_MARK = "upper/usr/local/lib/node/init"
GUIDE_FOLDER = "home/ubuntu/test/pytorch"


class Disk:
    """The disk in a folder of the machine, made anew unless it is whole and of this generation."""

    def __init__(self, directory, generation):
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        os.chdir(directory)
        self._generation = generation
        self.is_new = self._found() != generation
        if self.is_new:
            for name in ("upper", "work"):
                if os.path.lexists(name):
                    shutil.rmtree(name)
        for name in ("upper", "work", "root"):
            os.makedirs(name, exist_ok=True)

    def _found(self):
        try:
            with open("generation") as file:
                return int(file.read())
        except FileNotFoundError:
            return 1 if os.path.lexists(EARLY_MARK) else None

    def prepare(self, folders, contents):
        """Hides what is the machine's own or not in the image, at every boot: the machine may have got more meanwhile."""
        upper = os.path.abspath("upper")
        for name in os.listdir("/"):
            if name not in STANDARD_ENTRIES:
                whiteout(upper, "/" + name)
        for path in PRIVATE_FOLDERS + folders + contents["emptied"]:
            hide(upper, os.path.realpath(path))
        for path in PRIVATE_FILES + contents["absent"]:
            whiteout(upper, os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))
        if self.is_new and contents["guide"]:
            copy_guide(contents["guide"], os.path.join(upper, GUIDE_FOLDER))

    def mount_here(self):
        """Mounts it and makes its root the working directory."""
        mount("overlay", "root", "overlay", 0, "lowerdir=/,upperdir=upper,workdir=work")
        os.chdir("root")

    def mark_whole(self):
        """Called inside the node, where the machine's folders are out of sight."""
        number = os.open("generation", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=self._directory)
        with open(number, "w") as file:
            file.write(str(self._generation))


def copy_guide(source, target):
    """The scripts, and their data beside them."""
    os.makedirs(target)
    for folder in (source, os.path.join(source, "data")):
        for entry in os.scandir(folder) if os.path.isdir(folder) else ():
            if entry.is_file() and not entry.name.startswith("."):
                shutil.copyfile(entry.path, os.path.join(target, entry.name))


def hide(upper, path):
    """Makes a folder of the machine start out empty on the node; what the node writes there stays on its disk."""
    below = upper
    lower = "/"
    for name in path.strip("/").split("/"):
        below, lower = os.path.join(below, name), os.path.join(lower, name)
        if os.path.islink(lower) or not os.path.isdir(lower):
            return
        if os.path.lexists(below):
            if os.path.islink(below) or not os.path.isdir(below) or is_opaque(below):
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
