"""Instances and what is put on them."""

from client_scenarios import fields, same, scenario
from command_line import Network, done, ok, public_key, refused


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
def instances():
    keypair = ok("create-keypair -N key")["keypair_id"]
    net, own = Network(), ok("create-vxnets -N net -t 0")["vxnets"][0]
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
def clones():
    instance = done("run-instances -m img-bare -t c1m1 -l passwd -p Passw0rd")["instances"][0]
    volume = done("create-volumes -s 10 -N data")["volumes"][0]
    done("attach-volumes -v %s -i %s" % (volume, instance))
    made = done("clone-instances -i %s" % instance)
    (clone,) = made["instances"]
    same(made["instance_set"][instance]["instance_map"], {instance: clone})
    done("terminate-instances -i %s,%s -D 1" % (instance, clone))
    left = [item["volume_id"] for item in ok("describe-volumes")["volume_set"]]
    same((len(left), volume in left), (2, True))
    done("delete-volumes -v %s" % ",".join(left))
