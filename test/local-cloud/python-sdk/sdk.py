"""A connection of QingCloud's own Python SDK, and what every scenario does with it."""

import sys

import qingcloud.iaas
import yaml
from client_scenarios import same, wait

public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

with open(sys.argv[1]) as file:
    config = yaml.safe_load(file)


def connect(**changes):
    # With debug the SDK prints every request and answer.
    return qingcloud.iaas.APIConnection(**{**config, "debug": True, **changes})


conn = connect()


def ok(reply):
    assert reply is not None and reply["ret_code"] == 0, reply
    return reply


def done(reply):
    """As ok, once the job has succeeded."""
    job = ok(reply)["job_id"]

    def ended():
        found = ok(conn.describe_jobs(jobs=[job]))["job_set"][0]
        return found["status"] in ("successful", "failed") and found

    same(wait(ended, "job %s ends" % job)["status"], "successful")
    return reply


def refused(reply, code, words):
    same(reply["ret_code"], code)
    assert words in reply["message"], reply


class Network:
    """A router with a vxnet, 192.168.1.0/24."""

    def __init__(self):
        self.router = done(conn.create_routers(router_name="vpc", vpc_network="192.168.0.0/16"))["routers"][0]
        self.vxnet = ok(conn.create_vxnets("net", vxnet_type=1))["vxnets"][0]
        done(conn.join_router(self.vxnet, self.router, "192.168.1.0/24"))

    def remove(self):
        done(conn.leave_router(self.router, [self.vxnet]))
        ok(conn.delete_vxnets([self.vxnet]))
        done(conn.delete_routers([self.router]))


def run_instance(**parameters):
    login = {"login_mode": "passwd", "login_passwd": "Passw0rd"}
    return done(conn.run_instances("img-bare", **{"instance_type": "c1m1", **login, **parameters}))["instances"][0]


def cease(instance):
    done(conn.terminate_instances([instance], direct_cease=1))
