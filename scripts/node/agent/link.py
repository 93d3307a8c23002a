"""Sets up the node for the link between zones: as a real router can not be told to."""
import os
import subprocess

from checks import REQUIRED, AgentError, check

IP_AND_TCP_HEADERS = 40
BUFFERS = "/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem"


def set_up(link):
    """`link` is {routes: [{network, gateway, mtu}], bufferBytes: most that TCP may buffer, if the kernel's is less,
    sockets: how many connections ranks have beside each other}. Changes only what differs; a boot undoes it.
    """
    routes, buffer_bytes, _ = check_link(link)
    for route in routes:
        network, gateway, mtu = check(route, network=(str, REQUIRED), gateway=(str, REQUIRED), mtu=(int, REQUIRED))
        metrics = ["via", gateway, "mtu", str(mtu), "advmss", str(mtu - IP_AND_TCP_HEADERS)]
        present = subprocess.run(["ip", "route", "show", network], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 universal_newlines=True, check=False).stdout.split()
        if not is_in(metrics, present):
            as_root(["ip", "route", "replace", network, *metrics])
    for path in BUFFERS:
        least, usual, most = read_buffers(path)
        if buffer_bytes is not None and int(most) < buffer_bytes:
            name = path[len("/proc/sys/"):].replace("/", ".")
            as_root(["sysctl", "-q", "-w", f"{name}={least} {usual} {buffer_bytes}"])


def check_link(link):
    return check(link, routes=(list, []), bufferBytes=(int, None), sockets=(int, 1))


def is_in(metrics, words):
    """Whether a route has all of the pairs of name and value."""
    return all(pair in zip(words, words[1:]) for pair in zip(metrics[::2], metrics[1::2]))


def read_buffers(path):
    with open(path) as file:
        return file.read().split()


def as_root(command):
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    try:
        done = subprocess.run([*sudo, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, universal_newlines=True, check=False)
    except FileNotFoundError as error:
        raise AgentError(f"this node has no {error.filename}, which {' '.join(command)} needs; install it") from error
    if done.returncode != 0:
        raise AgentError(f"`{' '.join(command)}` failed as root: {done.stderr.strip()}; the user must be root, or become it by "
                         "sudo without a password")
