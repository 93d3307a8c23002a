"""Counts every IPv4 packet on the uplink of a router until SIGTERM, then prints the counts as JSON.

    ip netns exec ROUTER python3 capture.py INTERFACE

`clear`: a private source or destination outside a tunnel; `esp`: IPSec in UDP 4500; `esp_bytes`: what is in those.
`dropped`: what the kernel could not hand over, and so was not looked at.
"""
import json
import select
import signal
import socket
import struct
import sys

ETH_P_ALL, SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 3, 263, 6, 33
counts = {"packets": 0, "clear": 0, "esp": 0, "esp_bytes": 0, "ike": 0, "other": 0, "dropped": 0}
clear = []
ended = False


def end(*_):
    global ended
    ended = True


def look(packet):
    counts["packets"] += 1
    source, destination = packet[12:16], packet[16:20]
    if any(address[:2] == b"\xc0\xa8" for address in (source, destination)):
        counts["clear"] += 1
        clear.append(f"{socket.inet_ntoa(source)} > {socket.inet_ntoa(destination)} protocol {packet[9]}")
        return
    header = (packet[0] & 15) * 4
    payload = packet[header + 8:]
    fragmented = struct.unpack("!H", packet[6:8])[0] & 0x1FFF
    ports = struct.unpack("!HH", packet[header:header + 4]) if packet[9] == 17 and not fragmented else (0, 0)
    # RFC 3948: IKE in port 4500 starts with four zero bytes, a keep-alive is one byte.
    if 4500 in ports and len(payload) > 4 and payload[:4] != bytes(4):
        counts["esp"] += 1
        counts["esp_bytes"] += len(payload)
    elif 4500 in ports or 500 in ports:
        counts["ike"] += 1
    else:
        counts["other"] += 1


signal.signal(signal.SIGTERM, end)
with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as uplink:
    uplink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    uplink.bind((sys.argv[1], ETH_P_ALL))
    print("listening", flush=True)
    while not ended or select.select([uplink], [], [], 0)[0]:
        if select.select([uplink], [], [], 0.05)[0]:
            packet, (_, protocol, *_rest) = uplink.recvfrom(1 << 17)
            if protocol == 0x0800:
                look(packet)
    counts["dropped"] = struct.unpack("II", uplink.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
print(json.dumps({**counts, "examples": clear[:5]}), flush=True)
