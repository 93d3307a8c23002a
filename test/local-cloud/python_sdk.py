"""The life of a VPC with one node, driven by QingCloud's own Python SDK. Usage: python_sdk.py CONFIG_YAML"""

import json
import re
import sys
import time

import qingcloud.iaas
from qingcloud.iaas.router_static import RouterStaticFactory
from qingcloud.iaas.sg_rule import SecurityGroupRuleFactory


def read_config(path):
    with open(path) as file:
        return dict(re.findall(r"^(\w+): '?([^'\n]*)'?$", file.read(), re.M))


def connect(config, **changes):
    config = {**config, **changes}
    return qingcloud.iaas.APIConnection(
        config["qy_access_key_id"],
        config["qy_secret_access_key"],
        config["zone"],
        host=config["host"],
        port=int(config["port"]),
        protocol=config["protocol"],
    )


config = read_config(sys.argv[1])
conn = connect(config)


def ok(reply):
    assert reply is not None and reply["ret_code"] == 0, reply
    return reply


def done(reply):
    """Waits until the job of an asynchronous action has ended."""
    job = ok(reply)["job_id"]
    deadline = time.time() + 20
    while time.time() < deadline:
        found = ok(conn.describe_jobs(jobs=[job]))["job_set"][0]
        if found["status"] in ("successful", "failed"):
            assert found["status"] == "successful", found
            return reply
        time.sleep(0.01)
    raise AssertionError("job %s has not ended" % job)


eip = ok(conn.allocate_eips(bandwidth=10, eip_name="python's (eip) *!~"))["eips"][0]
found = ok(conn.describe_eips(eips=[eip]))["eip_set"][0]
assert found["eip_name"] == "python's (eip) *!~" and found["bandwidth"] == 10 and found["resource"] == {}, found

group = ok(conn.create_security_group("group"))["security_group_id"]
rules = [
    SecurityGroupRuleFactory.create(
        protocol=SecurityGroupRuleFactory.PROTOCOL_TCP, priority=1, direction=0, action="accept", val1="22", val2="22"
    ).to_json(),
    SecurityGroupRuleFactory.create(protocol=SecurityGroupRuleFactory.PROTOCOL_UDP, priority=2, val1="500").to_json(),
]
assert len(ok(conn.add_security_group_rules(group, rules))["security_group_rules"]) == 2
done(conn.apply_security_group(group))
assert len(ok(conn.describe_security_group_rules(group))["security_group_rule_set"]) == 2

keypair = ok(conn.create_keypair("pair", mode="system", encrypt_method="ssh-rsa"))
assert keypair["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
keypair = keypair["keypair_id"]

vxnet = ok(conn.create_vxnets("net", vxnet_type=1))["vxnets"][0]
router = done(conn.create_routers(security_group=group, router_name="router", vpc_network="192.168.0.0/16"))["routers"][0]
done(conn.join_router(vxnet, router, "192.168.1.0/24"))
ok(conn.modify_router_attributes(router, eip=eip))
forward = RouterStaticFactory.create(
    RouterStaticFactory.TYPE_PORT_FORWARDING, src_port=2222, dst_ip="192.168.1.2", dst_port=22
)
tunnel = RouterStaticFactory.create(
    RouterStaticFactory.TYPE_IPSEC,
    peer_config="198.51.100.10|aes|k3y|198.51.100.10",
    local_network="192.168.1.0/24",
    target_network="192.168.2.0/24",
)
statics = ok(conn.add_router_statics(router, [forward.to_json(), tunnel.to_json()]))["router_statics"]
done(conn.update_routers([router]))
assert ok(conn.describe_eips(eips=[eip]))["eip_set"][0]["resource"]["resource_id"] == router
assert ok(conn.describe_routers(routers=[router]))["router_set"][0]["is_applied"] == 1
read = ok(conn.describe_router_statics(router))["router_static_set"]
assert [item["val1"] for item in read] == ["2222", "198.51.100.10|aes|k3y|198.51.100.10"], read

instance = done(
    conn.run_instances(
        image_id="img-bare",
        cpu=1,
        memory=1024,
        vxnets=[vxnet + "|192.168.1.2"],
        login_mode="keypair",
        login_keypair=keypair,
        instance_name="node",
    )
)["instances"][0]
node = ok(conn.describe_instances(instances=[instance]))["instance_set"][0]
assert node["status"] == "running" and node["vxnets"][0]["private_ip"] == "192.168.1.2", node

volume = done(conn.create_volumes(size=10, volume_name="data"))["volumes"][0]
done(conn.attach_volumes([volume], instance))
attached = ok(conn.describe_volumes(volumes=[volume], instance_id=instance))["volume_set"][0]
assert attached["status"] == "in-use" and attached["instance"]["instance_id"] == instance, attached
assert ok(conn.describe_instances(instances=[instance], verbose=1))["instance_set"][0]["volume_ids"] == [volume]

tag = ok(conn.create_tag("python"))["tag_id"]
pairs = [
    {"tag_id": tag, "resource_type": "volume", "resource_id": volume},
    {"tag_id": tag, "resource_type": "eip", "resource_id": eip},
]
ok(conn.attach_tags(pairs))
assert ok(conn.describe_eips(tags=[tag]))["eip_set"][0]["tags"][0]["tag_name"] == "python"
assert ok(conn.describe_tags(tags=[tag], verbose=1))["tag_set"][0]["resource_tag_pairs"] == list(reversed(pairs))

refused = [
    connect(config, qy_secret_access_key="wrong").describe_eips(),
    connect(config, qy_access_key_id="NOBODY").describe_eips(),
    conn.release_eips([eip]),
    conn.delete_routers([router]),
    conn.delete_vxnets([vxnet]),
    conn.delete_keypairs([keypair]),
    conn.delete_security_groups([group]),
    conn.send_request("RunInstances", {"image_id": "img-bare", "login_mode": "keypair", "login_keypair": keypair}),
    conn.send_request("AllocateEips", {"bandwidth": 5000}),
    conn.send_request("DescribeNothing", {}),
    conn.stop_instances(["i-unknown0"]),
    conn.delete_volumes([volume]),
    conn.resize_volumes([volume], 20),
    conn.create_tag("python"),
]

ok(conn.detach_tags(pairs[:1]))
assert ok(conn.describe_volumes(volumes=[volume]))["volume_set"][0]["tags"] == []
ok(conn.delete_tags([tag]))
done(conn.detach_volumes([volume], instance))
done(conn.resize_volumes([volume], 20))
ok(conn.modify_volume_attributes(volume, volume_name="renamed"))
resized = ok(conn.describe_volumes(volumes=[volume]))["volume_set"][0]
assert (resized["volume_name"], resized["size"], resized["tags"]) == ("renamed", 20, []), resized
done(conn.delete_volumes([volume]))

done(conn.terminate_instances([instance]))
ok(conn.delete_keypairs([keypair]))
ok(conn.delete_router_statics(statics))
ok(conn.modify_router_attributes(router, eip=""))
done(conn.update_routers([router]))
done(conn.leave_router(router, [vxnet]))
ok(conn.delete_vxnets([vxnet]))
done(conn.delete_routers([router]))
ok(conn.delete_security_groups([group]))
assert ok(conn.get_lease_info(eip))["lease_info"]["status"] == "active"
done(conn.release_eips([eip]))
left = {
    "eips": ok(conn.describe_eips())["total_count"],
    "routers": ok(conn.describe_routers())["total_count"],
    "vxnets": ok(conn.describe_vxnets(vxnet_type=1))["total_count"],
    "instances": ok(conn.describe_instances())["total_count"],
    "volumes": ok(conn.describe_volumes())["total_count"],
    "tags": ok(conn.describe_tags())["total_count"],
    "keypairs": ok(conn.describe_key_pairs())["total_count"],
}
print(json.dumps({"refused": [reply["ret_code"] for reply in refused], "left": left}))
