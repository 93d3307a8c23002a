"""What follows from the picture, at every boot."""

import base64
import os

from files import HOMES, write


def configure(spec):
    write("/etc/hostname", spec["hostname"] + "\n")
    own = f"{spec['address']} {spec['hostname']}\n" if spec["address"] else f"127.0.1.1 {spec['hostname']}\n"
    write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{own}")
    write("/etc/resolv.conf", "# The internet of this cloud has no name server.\noptions timeout:1 attempts:1\n")
    for home, owner in HOMES:
        os.makedirs(f"{home}/.ssh", mode=0o700, exist_ok=True)
        os.chown(f"{home}/.ssh", owner, owner)
        write(f"{home}/.ssh/authorized_keys", "".join(f"{key}\n" for key in spec["authorizedKeys"]), 0o600, owner)
    userdata = spec["userdata"]
    if not userdata:
        return ""
    os.makedirs(os.path.dirname(userdata["file"]), exist_ok=True)
    write(userdata["file"], base64.b64decode(userdata["script"]), 0o755)
    return userdata["file"]
