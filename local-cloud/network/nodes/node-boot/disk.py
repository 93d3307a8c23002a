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

# Says which generation the disk is, once it is whole.
MARK = "generation"
# Of disks that were made before they had numbers.
EARLY_MARK = "upper/usr/local/lib/node/init"
GUIDE_FOLDER = "home/ubuntu/test/pytorch"


class Disk:
    """The disk in a folder of the machine, made anew unless it is whole and of this generation."""

    def __init__(self, directory, generation):
        os.chdir(directory)
        self._generation = generation
        self.is_new = self._found() != generation
        if self.is_new:
            # The file, not its folder: from that, links in the node's /proc would lead out to the machine.
            self._mark = os.open(MARK, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            for name in ("upper", "work"):
                if os.path.lexists(name):
                    shutil.rmtree(name)
        for name in ("upper", "work", "root"):
            os.makedirs(name, exist_ok=True)

    def _found(self):
        try:
            with open(MARK) as file:
                return int(file.read())
        except FileNotFoundError:
            return 1 if os.path.lexists(EARLY_MARK) else None
        except ValueError:
            return None

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
        with open(self._mark, "w") as file:
            file.truncate(0)
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
    folder = seen_folder(upper, path)
    if folder is not None:
        os.setxattr(folder, "trusted.overlay.opaque", b"y")


def whiteout(upper, path):
    """Takes a file or folder of the machine out of the node's sight."""
    folder = seen_folder(upper, os.path.dirname(path)) if os.path.lexists(path) else None
    below = folder and os.path.join(folder, os.path.basename(path))
    if below and not os.path.lexists(below):
        os.mknod(below, stat.S_IFCHR, os.makedev(0, 0))


def seen_folder(upper, path):
    """What the node's disk has over a folder of the machine, made if need be; None where the node does not see that.

    The disk is its owner's: a link in it is not followed, it would lead to the machine's own files.
    """
    below = upper
    lower = "/"
    for name in path.strip("/").split("/") if path != "/" else ():
        below, lower = os.path.join(below, name), os.path.join(lower, name)
        if os.path.islink(lower) or not os.path.isdir(lower):
            return None
        if os.path.lexists(below):
            if os.path.islink(below) or not os.path.isdir(below) or is_opaque(below):
                return None
            continue
        os.mkdir(below)
        shutil.copystat(lower, below)
        status = os.stat(lower)
        os.chown(below, status.st_uid, status.st_gid)
    return below


def is_opaque(path):
    try:
        return os.getxattr(path, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False
