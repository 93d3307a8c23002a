"""Command lines of QingCloud's own CLI.

They run in this process, as `qingcloud` runs them, because a start of the CLI takes longer than what it does.
"""

import contextlib
import io
import json
import shlex
import sys

import qingcloud.cli.driver
from client_scenarios import same, wait

config = sys.argv[1]
public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f someone@somewhere"


def cli(line):
    """What a command line prints, as JSON."""
    words = shlex.split(line)
    print("$ qingcloud iaas " + line)
    sys.argv = ["qingcloud", "iaas", words[0], "-f", config, *words[1:]]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            qingcloud.cli.driver.main()
    finally:
        print(said.getvalue())
    return json.loads(said.getvalue())


def ok(line):
    reply = cli(line)
    same(reply["ret_code"], 0)
    return reply


def done(line):
    """As ok, once the job of the command has succeeded."""
    reply = ok(line)
    job = reply["job_id"]
    zone = line.partition(" -z ")[2]

    def ended():
        found = ok("describe-jobs -j %s%s" % (job, " -z " + zone if zone else ""))["job_set"][0]
        return found["status"] in ("successful", "failed") and found

    same(wait(ended, "job %s ends" % job)["status"], "successful")
    return reply


def refused(line, code, words):
    reply = cli(line)
    same(reply["ret_code"], code)
    assert words in reply["message"], reply


class Network:
    """A router with a vxnet, 192.168.1.0/24."""

    def __init__(self):
        self.router = done("create-routers -N vpc -n 192.168.0.0/16")["routers"][0]
        self.vxnet = ok("create-vxnets -N net -t 1")["vxnets"][0]
        done("join-router -r %s -v %s -n 192.168.1.0/24" % (self.router, self.vxnet))

    def remove(self):
        done("leave-router -r %s -v %s" % (self.router, self.vxnet))
        ok("delete-vxnets -v %s" % self.vxnet)
        done("delete-routers -r %s" % self.router)
