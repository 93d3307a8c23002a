"""What follows from the picture, at every boot."""

import os

from files import HOMES, write
from network import configure_network

INIT = "/run/node/init"
INIT_SCRIPT = """\
#!/bin/sh
# Keeps sshd running; runs the start scripts, named by the arguments, once the network is up and sshd listens.
mkdir -p /run/sshd
exec 3>&1 </dev/null >>/var/log/sshd.log 2>&1
while :; do /usr/sbin/sshd -D -e 3>&-; sleep 1 3>&-; done &
/run/node/network 3>&- &
network=$!
until [ -s /run/sshd.pid ]; do sleep 0.01 3>&-; done
wait $network
echo up >&3
exec 3>&-
for script; do [ ! -x "$script" ] || "$script" >>/var/log/userdata.log 2>&1; done &
wait
"""


def configure(spec):
    os.mkdir(os.path.dirname(INIT))
    write(INIT, INIT_SCRIPT, 0o755)
    write("/etc/hostname", spec["hostname"] + "\n")
    own = f"{spec['address']} {spec['hostname']}\n" if spec["address"] else f"127.0.1.1 {spec['hostname']}\n"
    write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{own}{spec['hosts']}")
    configure_network(spec["network"])
    for home, owner in HOMES:
        os.makedirs(f"{home}/.ssh", mode=0o700, exist_ok=True)
        os.chown(f"{home}/.ssh", owner, owner)
        write(f"{home}/.ssh/authorized_keys", "".join(f"{key}\n" for key in spec["authorizedKeys"]), 0o600, owner)
