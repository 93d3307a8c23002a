"""Instances and what is put on them."""

import base64
import io
import tarfile

from client_scenarios import fields, same, scenario
from sdk import Network, cease, conn, done, ok, public_key, refused, run_instance


@scenario
def keypairs():
    made = ok(conn.create_keypair("made"))
    assert made["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    given = ok(conn.create_keypair("given", mode="user", encrypt_method="ssh-ed25519", public_key=public_key))
    found = ok(conn.describe_key_pairs(keypairs=[given["keypair_id"]], verbose=1))["keypair_set"][0]
    same(found["encrypt_method"] + " " + found["pub_key"], public_key)
    same(ok(conn.describe_key_pairs(encrypt_method=["ssh-rsa"]))["total_count"], 1)
    ok(conn.modify_keypair_attributes(given["keypair_id"], keypair_name="renamed", description="of the SDK"))
    found = ok(conn.describe_key_pairs(search_word="renamed"))["keypair_set"][0]
    same(found["description"], "of the SDK")
    # Of these two types of key the SDK's default, ssh-rsa, is not the one.
    refused(conn.create_keypair("given", mode="user", public_key=public_key), 1101, "ssh-ed25519")
    ok(conn.delete_keypairs([made["keypair_id"], given["keypair_id"]]))


@scenario
def instances():
    net = Network()
    keypair = ok(conn.create_keypair("key"))["keypair_id"]
    volume = done(conn.create_volumes(10))["volumes"][0]
    script = base64.b64encode(b"#!/bin/sh\ntouch /ready\n").decode()
    instance = run_instance(
        instance_name="node",
        hostname="node",
        instance_type=None,
        cpu=1,
        memory=1024,
        os_disk_size=30,
        login_mode="keypair",
        login_passwd=None,
        login_keypair=keypair,
        vxnets=[net.vxnet + "|192.168.1.9"],
        volumes=[volume],
        need_userdata=1,
        userdata_type="exec",
        userdata_value=script,
    )
    found = ok(conn.describe_instances([instance], verbose=1))["instance_set"][0]
    same(
        fields(found, "instance_name", "status", "vcpus_current", "memory_current", "keypair_ids", "volume_ids"),
        ("node", "running", 1, 1024, [keypair], [volume]),
    )
    same((found["extra"]["os_disk_size"], found["vxnets"][0]["private_ip"]), (30, "192.168.1.9"))
    refused(conn.delete_keypairs([keypair]), 5400, keypair)
    refused(conn.resize_instances([instance], cpu=2, memory=2048), 1400, instance)
    done(conn.restart_instances([instance]))
    done(conn.stop_instances([instance], force=True))
    done(conn.resize_instances([instance], cpu=2, memory=2048, os_disk_size=40))
    done(conn.reset_instances([instance], login_mode="keypair", login_keypair=keypair))
    done(conn.start_instances([instance]))
    ok(conn.modify_instance_attributes(instance, instance_name="renamed", description="of the SDK"))
    found = ok(conn.describe_instances(image_id="img-bare", status=["running"], search_word="renamed"))
    found = found["instance_set"][0]
    same(fields(found, "vcpus_current", "memory_current", "description"), (2, 2048, "of the SDK"))
    done(conn.detach_keypairs([keypair], [instance]))
    done(conn.attach_keypairs([keypair], [instance]))
    own = ok(conn.create_vxnets("own", vxnet_type=0))["vxnets"][0]
    done(conn.join_vxnet(own, [instance]))
    same(ok(conn.describe_vxnets([own], verbose=1))["vxnet_set"][0]["instance_ids"], [instance])
    done(conn.leave_vxnet(own, [instance]))
    done(conn.terminate_instances([instance]))
    same(ok(conn.describe_instances([instance]))["instance_set"][0]["status"], "terminated")
    done(conn.send_request("CeaseInstances", {"instances": [instance]}))
    ok(conn.delete_vxnets([own]))
    ok(conn.delete_keypairs([keypair]))
    done(conn.delete_volumes([volume]))
    refused(conn.stop_instances(["i-nowhere0"]), 2100, "i-nowhere0")
    net.remove()


@scenario
def gpu_instances():
    """run_instances drops gpu and gpu_class: send_request is the SDK's only way to ask for GPUs."""
    shape = {"cpu": 16, "memory": 65536, "gpu": 1, "gpu_class": 0}
    login = {"login_mode": "passwd", "login_passwd": "Passw0rd"}
    made = conn.send_request("RunInstances", {"image_id": "img-bare", **shape, **login})
    cease(done(made)["instances"][0])


@scenario
def eips_of_instances():
    instance = run_instance()
    eip = ok(conn.allocate_eips(3))["eips"][0]
    done(conn.associate_eip(eip, instance))
    same(ok(conn.describe_instances([instance]))["instance_set"][0]["eip"]["eip_id"], eip)
    found = ok(conn.describe_eips(instance_id=instance))["eip_set"][0]
    same((found["eip_id"], found["status"], found["resource"]["resource_id"]), (eip, "associated", instance))
    done(conn.dissociate_eips([eip]))
    same(ok(conn.describe_eips([eip]))["eip_set"][0]["status"], "available")
    done(conn.release_eips([eip]))
    cease(instance)


@scenario
def volumes():
    instance = run_instance()
    volume, other = done(conn.create_volumes(10, volume_name="data", volume_type=0, count=2))["volumes"]
    done(conn.attach_volumes([volume], instance))
    attached = ok(conn.describe_volumes([volume], instance_id=instance))["volume_set"][0]
    same((attached["status"], attached["instance"]["instance_id"]), ("in-use", instance))
    refused(conn.delete_volumes([volume]), 5400, volume)
    refused(conn.resize_volumes([volume], 20), 1400, volume)
    done(conn.detach_volumes([volume], instance))
    done(conn.resize_volumes([volume], 20))
    ok(conn.modify_volume_attributes(volume, volume_name="renamed", description="of the SDK"))
    found = ok(conn.describe_volumes(search_word="renamed", status=["available"]))["volume_set"][0]
    same(fields(found, "volume_name", "size", "description"), ("renamed", 20, "of the SDK"))
    done(conn.delete_volumes([volume, other]))
    cease(instance)


@scenario
def userdata():
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("etc/ready"))
    content = base64.b64encode(archive.getvalue()).decode()
    attachment = ok(conn.upload_userdata(content, attachment_name="files.tgz"))["attachment_id"]
    cease(run_instance(need_userdata=1, userdata_type="tar", userdata_value=attachment))
    refused(conn.upload_userdata("bm90aGluZw=="), 1101, "attachment_content")


@scenario
def clones():
    instance = run_instance(instance_name="original")
    volume = done(conn.create_volumes(10))["volumes"][0]
    done(conn.attach_volumes([volume], instance))
    made = done(conn.clone_instances(instances=[instance]))
    (clone,) = made["instances"]
    same(made["instance_set"][instance]["instance_map"], {instance: clone})
    same(ok(conn.describe_instances([clone]))["instance_set"][0]["instance_type"], "c1m1")
    cease(instance)
    cease(clone)
    left = [item["volume_id"] for item in ok(conn.describe_volumes())["volume_set"]]
    same((len(left), volume in left), (2, True))
    done(conn.delete_volumes(left))
