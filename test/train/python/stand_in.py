#!/usr/bin/python3 -IS
"""Stands in for Python where a program of the tests starts a script: the script runs in a fork, see forked.py.

It takes signals for the script, and ends as it does; when this process is killed, so is the script.
"""
import json
import os
import signal
import socket
import sys

with socket.socket(socket.AF_UNIX) as server, open("/proc/self/ns/net") as network:
    server.connect(os.environ["FORKED_PYTHON"])
    request = json.dumps({"args": sys.argv[1:], "environment": dict(os.environ)}).encode()
    socket.send_fds(server, [len(request).to_bytes(4, "big")], [1, 2, network.fileno()])
    server.sendall(request)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: server.sendall(bytes([number])))
    answer = server.recv(100)
if not answer:
    sys.exit("the process that the script was to be forked from has ended")
code = int(answer)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
