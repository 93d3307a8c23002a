"""Every kind of resource from its making to its end by QingCloud's own CLI. Usage: qingcloud_cli.py CONFIG_YAML

The commands run in this process, as `qingcloud` runs them, because a start of the CLI takes longer than what it does.
"""

import contextlib
import io
import json
import shlex
import sys

import qingcloud.cli.driver
from client_scenarios import fields, run, same, scenario, wait

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


class network:
    """A router with a vxnet, 192.168.1.0/24."""

    def __init__(self):
        self.router = done("create-routers -N vpc -n 192.168.0.0/16")["routers"][0]
        self.vxnet = ok("create-vxnets -N net -t 1")["vxnets"][0]
        done("join-router -r %s -v %s -n 192.168.1.0/24" % (self.router, self.vxnet))

    def remove(self):
        done("leave-router -r %s -v %s" % (self.router, self.vxnet))
        ok("delete-vxnets -v %s" % self.vxnet)
        done("delete-routers -r %s" % self.router)


@scenario
def eips():
    first, second = ok("allocate-eips -b 10 -c 2 -n 'my eip'")["eips"]
    found = ok("describe-eips -e %s,%s -s available -W 'my eip'" % (first, second))
    same(found["total_count"], 2)
    eip = found["eip_set"][0]
    same(fields(eip, "eip_name", "bandwidth", "billing_mode", "resource"), ("my eip", 10, "bandwidth", {}))
    ok("modify-eip-attributes -e %s -n renamed -d 'of the CLI'" % first)
    done("change-eips-bandwidth -e %s,%s -b 20" % (first, second))
    done("change-eips-billing-mode -e %s -b traffic" % first)
    eip = ok("describe-eips -e %s" % first)["eip_set"][0]
    same(
        fields(eip, "eip_name", "description", "bandwidth", "billing_mode"),
        ("renamed", "of the CLI", 20, "traffic"),
    )
    lease = ok("get-lease-info -r %s" % first)["lease_info"]
    same(fields(lease, "resource_id", "status"), (first, "active"))
    done("release-eips -e %s,%s" % (first, second))
    same(ok("describe-eips")["total_count"], 0)
    refused("release-eips -e eip-nowhere0", 2100, "eip-nowhere0")


@scenario
def security_groups():
    group = ok("create-security-group -N web")["security_group_id"]
    rules = [
        {"protocol": "tcp", "priority": "1", "action": "accept", "direction": "0", "val1": "80", "val2": "443"},
        {"protocol": "icmp", "priority": "2", "action": "drop", "val1": "8", "val2": "0", "val3": "10.0.0.0/8"},
    ]
    web, ping = ok("add-security-group-rules -s %s -r '%s'" % (group, json.dumps(rules)))["security_group_rules"]
    same(ok("describe-security-groups -s %s" % group)["security_group_set"][0]["is_applied"], 0)
    done("apply-security-group -s %s" % group)
    same(ok("describe-security-groups -s %s -V 1" % group)["security_group_set"][0]["is_applied"], 1)
    ok("modify-security-group-rule-attributes -r %s -N https -p 3 -P tcp -a drop --val1 443" % web)
    rule = ok("describe-security-group-rules -r %s" % web)["security_group_rule_set"][0]
    same(
        fields(rule, "security_group_rule_name", "priority", "protocol", "action", "val1", "val2", "direction"),
        ("https", 3, "tcp", "drop", "443", "443", 0),
    )
    same(ok("describe-security-group-rules -s %s -d 1" % group)["total_count"], 0)
    ok("delete-security-group-rules -r %s,%s" % (web, ping))
    same(ok("describe-security-group-rules -s %s" % group)["total_count"], 0)
    ok("modify-security-group-attributes -s %s -N renamed -D 'of the CLI'" % group)
    found = ok("describe-security-groups -W renamed")["security_group_set"]
    same([fields(item, "security_group_id", "description") for item in found], [(group, "of the CLI")])
    ok("delete-security-groups -s %s" % group)
    same(ok("describe-security-groups -s %s" % group)["total_count"], 0)


@scenario
def keypairs():
    made = ok("create-keypair -N made")
    assert made["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    given = ok("create-keypair -N given -m user -e ssh-ed25519 -p '%s'" % public_key)
    same(given.get("private_key") or "", "")
    found = ok("describe-keypairs -e ssh-ed25519")["keypair_set"][0]
    same(fields(found, "keypair_id", "pub_key"), (given["keypair_id"], public_key.split()[1]))
    ok("modify-keypair-attributes -k %s -N renamed -D 'of the CLI'" % given["keypair_id"])
    found = ok("describe-keypairs -W renamed -V 1")["keypair_set"][0]
    same(fields(found, "keypair_name", "description", "instance_ids"), ("renamed", "of the CLI", []))
    ok("delete-keypairs -k %s,%s" % (made["keypair_id"], given["keypair_id"]))
    same(ok("describe-keypairs")["total_count"], 0)


@scenario
def vxnets():
    managed, other = ok("create-vxnets -N net -t 1 -c 2")["vxnets"]
    found = ok("describe-vxnets -t 1 -W net -V 1")
    same(found["total_count"], 2)
    same(fields(found["vxnet_set"][0], "vxnet_name", "vxnet_type", "vpc_router_id"), ("net", 1, ""))
    ok("modify-vxnet-attributes -v %s -N renamed -D 'of the CLI'" % other)
    found = ok("describe-vxnets -v %s" % other)["vxnet_set"][0]
    same(fields(found, "vxnet_name", "description"), ("renamed", "of the CLI"))
    same(ok("describe-vxnet-instances -v %s" % managed)["instance_set"], [])
    ok("delete-vxnets -v %s,%s" % (managed, other))
    same(ok("describe-vxnets -t 1")["total_count"], 0)


@scenario
def routers():
    router = done("create-routers -N vpc -n 172.16.0.0/16 -t 0")["routers"][0]
    found = ok("describe-routers -r %s -s active" % router)["router_set"][0]
    same(
        fields(found, "router_name", "router_type", "vpc_network", "transition_status", "eip"),
        ("vpc", 0, "172.16.0.0/16", "", {}),
    )
    vxnet = ok("create-vxnets -N net -t 1")["vxnets"][0]
    done("join-router -r %s -v %s -n 172.16.5.0/24 -m 172.16.5.1 -S 172.16.5.10 -E 172.16.5.99" % (router, vxnet))
    found = ok("describe-router-vxnets -r %s -v %s" % (router, vxnet))["router_vxnet_set"][0]
    same(
        fields(found, "ip_network", "manager_ip", "dyn_ip_start", "dyn_ip_end", "features"),
        ("172.16.5.0/24", "172.16.5.1", "172.16.5.10", "172.16.5.99", 1),
    )
    refused("delete-vxnets -v %s" % vxnet, 5400, vxnet)
    eip = ok("allocate-eips -b 5")["eips"][0]
    ok("modify-router-attributes -r %s -e %s -N renamed -D 'of the CLI'" % (router, eip))
    same(ok("describe-routers -r %s" % router)["router_set"][0]["is_applied"], 0)
    done("update-routers -r %s" % router)
    found = ok("describe-routers -W renamed -V 1")["router_set"][0]
    same(
        (found["description"], found["is_applied"], found["eip"]["eip_id"], found["vxnets"][0]["vxnet_id"]),
        ("of the CLI", 1, eip, vxnet),
    )
    refused("release-eips -e %s" % eip, 1400, router)
    done("poweroff-routers -r %s" % router)
    same(ok("describe-routers -r %s" % router)["router_set"][0]["status"], "poweroffed")
    done("poweron-routers -r %s" % router)
    # The CLI clears the EIP with an explicit empty value, as the API has it.
    ok("modify-router-attributes -r %s -e ''" % router)
    done("update-routers -r %s" % router)
    done("release-eips -e %s" % eip)
    done("leave-router -r %s -v %s" % (router, vxnet))
    ok("delete-vxnets -v %s" % vxnet)
    done("delete-routers -r %s" % router)
    same(ok("describe-routers")["total_count"], 0)
    same(ok("describe-routers -s deleted")["router_set"][0]["router_id"], router)


@scenario
def router_statics():
    router = done("create-routers -N vpc -n 192.168.0.0/16")["routers"][0]
    statics = [
        {"static_type": "1", "val1": "2222", "val2": "192.168.1.2", "val3": "22", "val4": "tcp"},
        {"static_type": "7", "val1": "1.2.3.4|aes|k3y|dev", "val2": "192.168.1.0/24", "val3": "192.168.2.0/24"},
    ]
    forward, tunnel = ok("add-router-statics -r %s -s '%s'" % (router, json.dumps(statics)))["router_statics"]
    found = ok("describe-router-statics -r %s -t 7" % router)["router_static_set"]
    same(
        [fields(item, "router_static_id", "router_id", "val1", "val2", "val3") for item in found],
        [(tunnel, router, "1.2.3.4|aes|k3y|dev", "192.168.1.0/24", "192.168.2.0/24")],
    )
    ok("modify-router-static-attributes -s %s -N ssh --val1 2223 -D" % forward)
    found = ok("describe-router-statics -s %s" % forward)["router_static_set"][0]
    same(fields(found, "router_static_name", "val1", "val2", "val3", "val4"), ("ssh", "2223", "192.168.1.2", "22", "tcp"))
    ok("modify-router-static-attributes -s %s -E" % forward)
    done("update-routers -r %s" % router)
    ok("delete-router-statics -s %s,%s" % (forward, tunnel))
    same(ok("describe-router-statics -r %s" % router)["total_count"], 0)
    done("delete-routers -r %s" % router)


@scenario
def instances():
    keypair = ok("create-keypair -N key")["keypair_id"]
    net, own = network(), ok("create-vxnets -N net -t 0")["vxnets"][0]
    run = "run-instances -m img-bare -C 1 -M 1024 -l keypair -k %s -N node --hostname node -n '%s|192.168.1.9'"
    instance = done(run % (keypair, net.vxnet))["instances"][0]
    found = ok("describe-instances -i %s -s running -V 1" % instance)["instance_set"][0]
    same(
        fields(found, "instance_name", "vcpus_current", "memory_current", "transition_status", "keypair_ids"),
        ("node", 1, 1024, "", [keypair]),
    )
    same(fields(found["vxnets"][0], "vxnet_id", "private_ip"), (net.vxnet, "192.168.1.9"))
    joined = ok("describe-vxnet-instances -v %s" % net.vxnet)["instance_set"]
    same([fields(item, "instance_id", "private_ip") for item in joined], [(instance, "192.168.1.9")])
    refused("start-instances -i %s" % instance, 1400, instance)
    refused("resize-instances -i %s -C 2 -M 2048" % instance, 1400, instance)
    done("restart-instances -i %s" % instance)
    done("stop-instances -i %s -F" % instance)
    done("resize-instances -i %s -C 2 -M 2048" % instance)
    found = ok("describe-instances -s stopped")["instance_set"][0]
    same(fields(found, "instance_id", "vcpus_current", "memory_current"), (instance, 2, 2048))
    done("reset-instances -i %s -l keypair -k %s" % (instance, keypair))
    done("start-instances -i %s" % instance)
    ok("modify-instance-attributes -i %s -N renamed -D 'of the CLI'" % instance)
    found = ok("describe-instances -W renamed -m img-bare")["instance_set"][0]
    same(fields(found, "status", "description"), ("running", "of the CLI"))
    done("detach-keypairs -k %s -i %s" % (keypair, instance))
    same(ok("describe-keypairs -k %s -V 1" % keypair)["keypair_set"][0]["instance_ids"], [])
    done("attach-keypairs -k %s -i %s" % (keypair, instance))
    same(ok("describe-keypairs -k %s -V 1" % keypair)["keypair_set"][0]["instance_ids"], [instance])
    done("join-vxnet -v %s -i %s" % (own, instance))
    same(len(ok("describe-instances -i %s" % instance)["instance_set"][0]["vxnets"]), 2)
    done("leave-vxnet -v %s -i %s" % (own, instance))
    done("terminate-instances -i %s -D 1" % instance)
    same(ok("describe-instances")["total_count"], 0)
    same(ok("describe-instances -i %s" % instance)["instance_set"][0]["status"], "ceased")
    ok("delete-vxnets -v %s" % own)
    ok("delete-keypairs -k %s" % keypair)
    net.remove()


@scenario
def eips_of_instances():
    instance = done("run-instances -m img-bare -t c1m1 -l passwd -p Passw0rd")["instances"][0]
    eip = ok("allocate-eips -b 3")["eips"][0]
    done("associate-eip -e %s -i %s" % (eip, instance))
    same(ok("describe-instances -i %s" % instance)["instance_set"][0]["eip"]["eip_id"], eip)
    found = ok("describe-eips -i %s" % instance)["eip_set"][0]
    same(fields(found, "eip_id", "status"), (eip, "associated"))
    same(fields(found["resource"], "resource_id", "resource_type"), (instance, "instance"))
    refused("release-eips -e %s" % eip, 1400, eip)
    done("dissociate-eips -e %s" % eip)
    same(ok("describe-eips -e %s" % eip)["eip_set"][0]["status"], "available")
    done("release-eips -e %s" % eip)
    done("terminate-instances -i %s -D 1" % instance)


@scenario
def volumes():
    instance = done("run-instances -m img-bare -t c1m1 -l passwd -p Passw0rd")["instances"][0]
    volume, other = done("create-volumes -s 10 -c 2 -N data")["volumes"]
    found = ok("describe-volumes -v %s,%s -s available -W data" % (volume, other))
    same(found["total_count"], 2)
    done("attach-volumes -v %s -i %s" % (volume, instance))
    found = ok("describe-volumes -i %s" % instance)["volume_set"][0]
    same((found["volume_id"], found["status"], found["instance"]["instance_id"]), (volume, "in-use", instance))
    refused("resize-volumes -v %s -s 20" % volume, 1400, volume)
    refused("delete-volumes -v %s" % volume, 5400, volume)
    done("detach-volumes -v %s -i %s" % (volume, instance))
    done("resize-volumes -v %s -s 20" % volume)
    ok("modify-volume-attributes -v %s -N renamed -D 'of the CLI'" % volume)
    found = ok("describe-volumes -W renamed")["volume_set"][0]
    same(fields(found, "size", "description", "status"), (20, "of the CLI", "available"))
    done("delete-volumes -v %s,%s" % (volume, other))
    same(ok("describe-volumes")["total_count"], 0)
    done("terminate-instances -i %s -D 1" % instance)


@scenario
def tags():
    tag = ok("create-tag -N crew")["tag_id"]
    eip = ok("allocate-eips -b 1")["eips"][0]
    vxnet = ok("create-vxnets -N net -t 1")["vxnets"][0]
    pairs = "%s:eip:%s;%s:vxnet:%s" % (tag, eip, tag, vxnet)
    ok("attach-tags -p '%s'" % pairs)
    same(ok("describe-eips -T %s" % tag)["eip_set"][0]["eip_id"], eip)
    found = ok("describe-tags -t %s -V 1" % tag)["tag_set"][0]
    same((found["resource_count"], len(found["resource_tag_pairs"])), (2, 2))
    ok("detach-tags -p '%s:eip:%s'" % (tag, eip))
    same(ok("describe-eips -e %s" % eip)["eip_set"][0]["tags"], [])
    ok("modify-tag-attributes -t %s -N renamed -D 'of the CLI'" % tag)
    found = ok("describe-tags -W renamed")["tag_set"][0]
    same(fields(found, "tag_id", "description", "resource_count"), (tag, "of the CLI", 1))
    refused("create-tag -N renamed", 2110, "renamed")
    ok("delete-tags -t %s" % tag)
    same(ok("describe-vxnets -v %s" % vxnet)["vxnet_set"][0]["tags"], [])
    ok("delete-vxnets -v %s" % vxnet)
    done("release-eips -e %s" % eip)


@scenario
def jobs():
    router = done("create-routers -N vpc -n 192.168.0.0/16")["routers"][0]
    job = done("delete-routers -r %s" % router)["job_id"]
    found = ok("describe-jobs -j %s -s successful -a DeleteRouters" % job)["job_set"][0]
    same(fields(found, "job_id", "job_action", "resource_ids"), (job, "DeleteRouters", router))
    same(ok("describe-jobs -j %s -s failed" % job)["total_count"], 0)


@scenario
def images():
    found = ok("describe-images -i img-bare -P system -s available -v public -F debian -p 64bit -W bare")
    same(found["total_count"], 1)
    same(fields(found["image_set"][0], "image_id", "platform", "status"), ("img-bare", "linux", "available"))


@scenario
def zones():
    """-z chooses another zone than the one of the configuration."""
    eip = ok("allocate-eips -b 1 -z gpu2a")["eips"][0]
    same(ok("describe-eips -e %s" % eip)["total_count"], 0)
    same(ok("describe-eips -e %s -z gpu2a" % eip)["total_count"], 1)
    done("release-eips -e %s -z gpu2a" % eip)


@scenario
def nothing_left():
    kinds = ("eips", "routers", "instances", "volumes", "tags", "keypairs")
    same({kind: ok("describe-" + kind)["total_count"] for kind in kinds}, dict.fromkeys(kinds, 0))
    same([item["vxnet_id"] for item in ok("describe-vxnets")["vxnet_set"]], ["vxnet-0"])
    same([item["is_default"] for item in ok("describe-security-groups")["security_group_set"]], [1])


run()
