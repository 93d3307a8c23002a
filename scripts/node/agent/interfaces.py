"""The network interface that leads to the master."""
import contextlib
import fcntl
import socket
import struct


def interfaces(environment, sockets):
    """Names for gloo and nccl the one interface on the route to the master: left alone they may take another.

    gloo makes a connection for each time that it is named.
    """
    if "MASTER_ADDR" not in environment:
        return {}
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            route.connect((environment["MASTER_ADDR"], 9))  # sends nothing: it only looks up the route
            own = route.getsockname()[0]
        name = next(name for _, name in socket.if_nameindex() if address_of(name) == own)
    except (OSError, StopIteration):
        return {}  # the rank says better what is wrong with the master's address
    return {"GLOO_SOCKET_IFNAME": ",".join([name] * sockets), "NCCL_SOCKET_IFNAME": name}


def address_of(interface):
    """The IPv4 address of an interface (ioctl SIOCGIFADDR, see netdevice(7)); None where it has none."""
    request = struct.pack("256s", interface.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, contextlib.suppress(OSError):
        return socket.inet_ntoa(fcntl.ioctl(any_socket, 0x8915, request)[20:24])
    return None
