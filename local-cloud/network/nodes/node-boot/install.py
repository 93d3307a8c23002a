"""What a node has on its disk from its first boot on; its owner may change it."""

import os
import shutil

from files import HOMES, SYSTEM_PATH, USER_ID, write

PACKAGE_STATUS = "/var/lib/dpkg/status"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
SSHD_CONFIG = f"""\
HostKey {HOST_KEY}
Subsystem sftp internal-sftp
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
SetEnv PATH={SYSTEM_PATH}
MaxStartups 100:30:200
MaxSessions 100
PrintMotd no
PrintLastLog no
"""

SERVICE_SHIM = """\
#!/bin/sh
# A node has no systemd; its one service, sshd, can be restarted in the usual words.
case " $* " in
  *" ssh"*" restart "* | *" ssh"*" reload "* | *" restart ssh"* | *" reload ssh"*) kill -HUP "$(cat /run/sshd.pid)" ;;
  *) echo "${0##*/} $*: this node has no systemd; it knows 'restart ssh' and 'reload ssh'" >&2; exit 1 ;;
esac
"""


def system_lines(path, id_field):
    """Lines of passwd or group for accounts of the system; people's accounts are the machine's own."""
    with open(path) as file:
        records = [line.rstrip("\n").split(":") for line in file if line.count(":") >= 3]
    return [record for record in records if int(record[id_field]) < 1000 or int(record[id_field]) == 65534]


def sshd_config(password_hash):
    """A key opens the node; a password only where the node was made with one."""
    if password_hash:
        return SSHD_CONFIG + "PasswordAuthentication yes\nPermitRootLogin yes\n"
    return SSHD_CONFIG + "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"


def write_accounts(password_hash):
    users = [record for record in system_lines("/etc/passwd", 2) if record[0] not in ("root", "ubuntu")]
    users = [
        ["root", "x", "0", "0", "root", "/root", "/bin/bash"],
        *users,
        ["ubuntu", "x", str(USER_ID), str(USER_ID), "", "/home/ubuntu", "/bin/bash"],
    ]
    groups = [[*record[:3], ""] for record in system_lines("/etc/group", 2) if record[0] != "ubuntu"]
    groups = [[*g[:3], "ubuntu"] if g[0] == "sudo" else g for g in groups] + [["ubuntu", "x", str(USER_ID), ""]]
    write("/etc/passwd", "".join(":".join(user) + "\n" for user in users))
    hashes = {name: password_hash or "*" for name in ("root", "ubuntu")}
    shadow = (f"{user[0]}:{hashes.get(user[0], '*')}:19000:0:99999:7:::\n" for user in users)
    write("/etc/shadow", "".join(shadow), 0o640)
    write("/etc/group", "".join(":".join(group) + "\n" for group in groups))
    write("/etc/sudoers.d/ubuntu", "ubuntu ALL=(ALL) NOPASSWD:ALL\n", 0o440)
    for home, owner in HOMES:
        shutil.copytree("/etc/skel", home, dirs_exist_ok=True)
        for folder, _, files in os.walk(home):
            for path in (folder, *(os.path.join(folder, file) for file in files)):
                os.chown(path, owner, owner, follow_symlinks=False)
    os.chmod("/root", 0o700)
    os.chmod("/home/ubuntu", 0o750)


def forget_packages(names):
    """Takes packages that the image lacks out of dpkg's database."""
    if not names:
        return
    with open(PACKAGE_STATUS) as file:
        stanzas = file.read().split("\n\n")
    kept = (text for text in stanzas if text.split("\n", 1)[0].removeprefix("Package: ") not in names)
    write(PACKAGE_STATUS, "\n\n".join(kept))


def install(absent_packages, password_hash):
    write_accounts(password_hash)
    forget_packages(set(absent_packages))
    write("/etc/ssh/sshd_config", sshd_config(password_hash))
    if not os.path.exists(HOST_KEY):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", HOST_KEY]
        os.spawnv(os.P_WAIT, "/usr/bin/ssh-keygen", command)
    if not os.path.lexists("/usr/local/bin/python"):
        os.symlink("/usr/bin/python3", "/usr/local/bin/python")
    for name in ("systemctl", "service"):
        write(f"/usr/local/bin/{name}", SERVICE_SHIM, 0o755)
