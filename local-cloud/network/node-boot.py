"""Boots a node: makes its view of the machine and becomes its PID 1.

Runs in fresh mount, UTS, IPC and PID namespaces, inside the node's network namespace. Its specification is one JSON
document on standard input. It prints the PID that the machine knows it by; the init script prints `up` once sshd
listens.
"""

import base64
import ctypes
import json
import os
import shutil
import stat
import sys

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_CAPBSET_DROP = 24
# What would reach the machine itself: its clock, its modules, its ports.
DROPPED_CAPABILITIES = {"SYS_MODULE": 16, "SYS_RAWIO": 17, "SYS_TIME": 25}

STANDARD_ENTRIES = set(
    "bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var".split()
)
PRIVATE_FOLDERS = (
    "/root /home /tmp /mnt /media /srv /opt /boot /etc/ssh /etc/sudoers.d /usr/local/bin /usr/local/sbin"
    " /var/tmp /var/log /var/mail /var/spool /var/backups"
).split()
PRIVATE_FILES = "/etc/gshadow /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow-".split()

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER_ID = 1000

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
SSHD_CONFIG = f"""\
HostKey {HOST_KEY}
Subsystem sftp internal-sftp
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
UseDNS no
SetEnv PATH={SYSTEM_PATH}
MaxStartups 100:30:200
MaxSessions 100
PrintMotd no
PrintLastLog no
"""

INIT = """\
#!/bin/sh
# Keeps sshd running; runs the user data, named by the argument, once sshd listens.
mkdir -p /run/sshd
exec 3>&1 </dev/null >>/var/log/sshd.log 2>&1
while :; do /usr/sbin/sshd -D -e 3>&-; sleep 1 3>&-; done &
until [ -s /run/sshd.pid ]; do sleep 0.01 3>&-; done
echo up >&3
exec 3>&-
[ -z "$1" ] || "$1" >>/var/log/userdata.log 2>&1 &
wait
"""

SERVICE_SHIM = """\
#!/bin/sh
# A node has no systemd; its one service, sshd, can be restarted in the usual words.
case " $* " in
  *" ssh"*" restart "* | *" ssh"*" reload "* | *" restart ssh"* | *" reload ssh"*) kill -HUP "$(cat /run/sshd.pid)" ;;
  *) echo "${0##*/} $*: this node has no systemd; it knows 'restart ssh' and 'reload ssh'" >&2; exit 1 ;;
esac
"""

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target, kind=None, flags=0, options=None):
    as_bytes = [text.encode() if text else None for text in (source, target, kind, options)]
    check(libc.mount(as_bytes[0], as_bytes[1], as_bytes[2], ctypes.c_ulong(flags), as_bytes[3]), f"mount {target}")


def write(path, text, mode=0o644, owner=0):
    """Replaces a file, whatever stands at its path."""
    if os.path.islink(path):
        os.unlink(path)
    content = text if isinstance(text, bytes) else text.encode()
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
    os.chown(path, owner, owner)


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


def mount_kernel_folders():
    mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    # The kernel's settings are the machine's own, but for those of the node's network.
    for path, access in (("proc/sys", MS_RDONLY), ("proc/sys/net", 0), ("proc/sysrq-trigger", MS_RDONLY)):
        if os.path.exists(path):
            mount(path, path, None, MS_BIND)
            mount(None, path, None, MS_REMOUNT | MS_BIND | access)
    mount("sysfs", "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if os.path.isdir("sys/fs/cgroup"):
        mount("cgroup", "sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    mount("run", "run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")


def mount_devices():
    mount("dev", "dev", "tmpfs", MS_NOSUID, "mode=755")
    for name, major, minor in (
        ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)
    ):  # fmt: skip
        os.mknod(f"dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
        os.chmod(f"dev/{name}", 0o666)
    for name, target in (
        ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx"),
    ):  # fmt: skip
        os.symlink(target, f"dev/{name}")
    os.mkdir("dev/pts")
    os.mkdir("dev/shm")
    mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
    mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")


def enter_root():
    check(libc.pivot_root(b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "umount of the machine's root")
    os.chdir("/")


def system_lines(path, id_field):
    """Lines of passwd or group for accounts of the system; people's accounts are the machine's own."""
    with open(path) as file:
        records = [line.rstrip("\n").split(":") for line in file if line.count(":") >= 3]
    return [record for record in records if int(record[id_field]) < 1000 or int(record[id_field]) == 65534]


def write_accounts():
    users = [record for record in system_lines("/etc/passwd", 2) if record[0] not in ("root", "ubuntu")]
    users = [
        ["root", "x", "0", "0", "root", "/root", "/bin/bash"],
        *users,
        ["ubuntu", "x", str(USER_ID), str(USER_ID), "", "/home/ubuntu", "/bin/bash"],
    ]
    groups = [[*record[:3], ""] for record in system_lines("/etc/group", 2) if record[0] != "ubuntu"]
    groups = [[*g[:3], "ubuntu"] if g[0] == "sudo" else g for g in groups] + [["ubuntu", "x", str(USER_ID), ""]]
    write("/etc/passwd", "".join(":".join(user) + "\n" for user in users))
    write("/etc/shadow", "".join(f"{user[0]}:*:19000:0:99999:7:::\n" for user in users), 0o640)
    write("/etc/group", "".join(":".join(group) + "\n" for group in groups))
    write("/etc/sudoers.d/ubuntu", "ubuntu ALL=(ALL) NOPASSWD:ALL\n", 0o440)
    for home, owner in (("/root", 0), ("/home/ubuntu", USER_ID)):
        shutil.copytree("/etc/skel", home, dirs_exist_ok=True)
        for folder, _, files in os.walk(home):
            for path in (folder, *(os.path.join(folder, file) for file in files)):
                os.chown(path, owner, owner, follow_symlinks=False)
    os.chmod("/root", 0o700)
    os.chmod("/home/ubuntu", 0o750)


def install():
    """What a node has on its disk from its first boot on; its owner may change it."""
    write_accounts()
    write("/etc/ssh/sshd_config", SSHD_CONFIG)
    if not os.path.exists(HOST_KEY):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", HOST_KEY]
        os.spawnv(os.P_WAIT, "/usr/bin/ssh-keygen", command)
    if not os.path.lexists("/usr/local/bin/python"):
        os.symlink("/usr/bin/python3", "/usr/local/bin/python")
    for name in ("systemctl", "service"):
        write(f"/usr/local/bin/{name}", SERVICE_SHIM, 0o755)
    os.makedirs("/usr/local/lib/node", exist_ok=True)
    write("/usr/local/lib/node/init", INIT, 0o755)


def configure(spec):
    """What follows from the picture, at every boot."""
    write("/etc/hostname", spec["hostname"] + "\n")
    own = f"{spec['address']} {spec['hostname']}\n" if spec["address"] else f"127.0.1.1 {spec['hostname']}\n"
    write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{own}")
    write("/etc/resolv.conf", "# The internet of this cloud has no name server.\noptions timeout:1 attempts:1\n")
    for home, owner in (("/root", 0), ("/home/ubuntu", USER_ID)):
        os.makedirs(f"{home}/.ssh", mode=0o700, exist_ok=True)
        os.chown(f"{home}/.ssh", owner, owner)
        write(f"{home}/.ssh/authorized_keys", "".join(f"{key}\n" for key in spec["authorizedKeys"]), 0o600, owner)
    userdata = spec["userdata"]
    if not userdata:
        return ""
    os.makedirs(os.path.dirname(userdata["file"]), exist_ok=True)
    write(userdata["file"], base64.b64decode(userdata["script"]), 0o755)
    return userdata["file"]


def main():
    spec = json.load(sys.stdin)
    print(os.readlink("/proc/self"), flush=True)
    libc.sethostname(spec["hostname"].encode(), len(spec["hostname"].encode()))
    os.umask(0o022)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    upper = os.path.join(spec["directory"], "upper")
    os.makedirs(upper, exist_ok=True)
    prepare_disk(upper, spec["hide"])
    mount_root(spec["directory"])
    mount_kernel_folders()
    mount_devices()
    enter_root()
    if not os.path.exists("/usr/local/lib/node/init"):
        install()
    userdata = configure(spec)
    for number in DROPPED_CAPABILITIES.values():
        check(libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), "prctl")
    os.chdir("/root")
    environment = {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"}
    os.execve("/usr/bin/tini", ["tini", "--", "/usr/local/lib/node/init", userdata], environment)


main()
