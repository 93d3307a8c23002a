"""The container image of the deep learning image: an OCI bundle that the node's `docker` runs by crun.

Its root file system is the node's programs, read-only, with folders of its own, among them root's home with the guide's
scripts. It shares the node's network, as `docker run --net host` does.
"""

import json
import os
import shutil

from files import SYSTEM_PATH, write

BUNDLE = "/opt/deeplearning"
GUIDE_FOLDER = "/home/ubuntu/test/pytorch"
COMMAND = "/usr/local/bin/docker"

OWN_FOLDERS = "dev etc home data mnt proc root run srv sys tmp usr var".split()
#: Debian's merged /usr: /bin is /usr/bin.
LINKED_FOLDERS = "bin sbin lib lib32 lib64 libx32".split()
#: Those that container runtimes leave by default.
CAPABILITIES = [
    f"CAP_{name}"
    for name in (
        "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL"
        " AUDIT_WRITE"
    ).split()
]

with open(os.path.join(os.path.dirname(__file__), "docker.py")) as program:
    DOCKER = program.read()


def configuration():
    def mounted(source, target, kind, *options):
        return {"destination": target, "source": source, "type": kind, "options": list(options)}

    return {
        "ociVersion": "1.0.0",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": [],
            "env": [f"PATH={SYSTEM_PATH}", "HOME=/root", "LANG=C.UTF-8"],
            "cwd": "/root",
            "capabilities": {name: CAPABILITIES for name in ("bounding", "effective", "permitted")},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs"},
        "mounts": [
            mounted("proc", "/proc", "proc"),
            mounted("tmpfs", "/dev", "tmpfs", "nosuid", "mode=755"),
            mounted("devpts", "/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
            mounted("shm", "/dev/shm", "tmpfs", "nosuid", "nodev", "mode=1777"),
            mounted("/sys", "/sys", "none", "rbind", "ro"),
            mounted("/usr", "/usr", "none", "rbind", "ro"),
            mounted("/etc", "/etc", "none", "rbind", "ro"),
            mounted("/data", "/data", "none", "rbind", "rw"),
            mounted("tmpfs", "/run", "tmpfs", "nosuid", "nodev", "mode=755"),
            mounted("tmpfs", "/tmp", "tmpfs", "nosuid", "nodev", "mode=1777"),
        ],
        "linux": {"namespaces": [{"type": name} for name in ("pid", "ipc", "uts", "mount")]},
    }


def install_container():
    root = os.path.join(BUNDLE, "rootfs")
    for name in OWN_FOLDERS:
        os.makedirs(os.path.join(root, name), exist_ok=True)
    os.makedirs(os.path.join(root, "var", "tmp"), exist_ok=True)
    for name in LINKED_FOLDERS:
        if os.path.isdir(f"/usr/{name}"):
            os.symlink(f"usr/{name}", os.path.join(root, name))
    os.chmod(os.path.join(root, "root"), 0o700)
    shutil.copytree(GUIDE_FOLDER, os.path.join(root, "root", "test", "pytorch"))
    os.makedirs("/data", exist_ok=True)
    write(os.path.join(BUNDLE, "config.json"), json.dumps(configuration(), indent=2))
    write(COMMAND, DOCKER, 0o755)
