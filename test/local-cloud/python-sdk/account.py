"""What belongs to the account: who may call, zones, jobs, quotas, images, tags."""

from client_scenarios import Monitored, fields, same, scenario
from sdk import conn, connect, done, ok, refused


@scenario
def authentication():
    refused(connect(qy_secret_access_key="wrong").describe_eips(), 1200, "signature")
    refused(connect(qy_access_key_id="NOBODY").describe_eips(), 1200, "NOBODY")
    refused(conn.send_request("DescribeNothing", {}), 1101, "DescribeNothing")
    refused(conn.send_request("AllocateEips", {"bandwidth": 5000}), 1101, "5000")
    refused(conn.send_request("RunInstances", {"image_id": "img-bare", "login_mode": "keypair"}), 1100, "")
    ok(conn.send_request("DescribeEips", {"search_word": "a b+c *!~'()"}, verb="POST"))


@scenario
def zones():
    found = ok(conn.describe_zones())["zone_set"]
    same([fields(zone, "zone_id", "status") for zone in found], [("gpu1a", "active"), ("gpu2a", "active")])


@scenario
def tags():
    tag = ok(conn.create_tag("python"))["tag_id"]
    eip = ok(conn.allocate_eips(1))["eips"][0]
    volume = done(conn.create_volumes(10))["volumes"][0]
    pairs = [
        {"tag_id": tag, "resource_type": "volume", "resource_id": volume},
        {"tag_id": tag, "resource_type": "eip", "resource_id": eip},
    ]
    ok(conn.attach_tags(pairs))
    same(ok(conn.describe_eips(tags=[tag]))["eip_set"][0]["tags"][0]["tag_name"], "python")
    same(
        ok(conn.describe_tags(tags=[tag], verbose=1))["tag_set"][0]["resource_tag_pairs"],
        list(reversed(pairs)),
    )
    refused(conn.create_tag("python"), 2110, "python")
    ok(conn.detach_tags(pairs[:1]))
    same(ok(conn.describe_volumes([volume]))["volume_set"][0]["tags"], [])
    ok(conn.modify_tag_attributes(tag, tag_name="renamed", description="of the SDK"))
    found = ok(conn.describe_tags(search_word="renamed"))["tag_set"][0]
    same(fields(found, "tag_id", "description", "resource_count"), (tag, "of the SDK", 1))
    ok(conn.delete_tags([tag]))
    done(conn.delete_volumes([volume]))
    done(conn.release_eips([eip]))


@scenario
def jobs():
    router = done(conn.create_routers(vpc_network="192.168.0.0/16"))["routers"][0]
    job = done(conn.delete_routers([router]))["job_id"]
    found = ok(conn.describe_jobs([job], status=["successful"], job_action="DeleteRouters"))["job_set"][0]
    same(fields(found, "job_action", "resource_ids", "status"), ("DeleteRouters", router, "successful"))


@scenario
def images_and_types():
    found = ok(conn.describe_images(images=["img-bare"], provider="system", status=["available"]))["image_set"]
    same([image["image_id"] for image in found], ["img-bare"])
    kinds = ok(conn.send_request("DescribeInstanceTypes", {"instance_types": ["c1m1"]}))["instance_type_set"]
    same([fields(kind, "vcpus_current", "memory_current") for kind in kinds], [(1, 1024)])


@scenario
def quotas():
    def left():
        found = ok(conn.send_request("GetQuotaLeft", {"resource_types": ["eip", "router"]}))["quota_left_set"]
        same([item["resource_type"] for item in found], ["eip", "router"])
        return found[0]["left"]

    before = left()
    eip = ok(conn.allocate_eips(1))["eips"][0]
    same(left(), before - 1)
    done(conn.release_eips([eip]))
    name = "DescribeQuotas"
    left = {key: value for item in ok(conn.send_request(name, {}))["quota_set"] for key, value in item.items()}
    same(left["eip"], before)


@scenario
def monitoring():
    zone = connect(zone=Monitored.zone)
    start, end = (Monitored.time(seconds, "%Y-%m-%dT%H:%M:%SZ") for seconds in (0, 3600))
    found = ok(zone.get_monitoring_data(Monitored.eip, ["traffic", "flow"], "5m", start, end))
    same([meter["meter_id"] for meter in found["meter_set"]], ["traffic", "flow"])
    same(found["meter_set"][0]["data"], Monitored.compressed)
    found = ok(zone.get_monitoring_data(Monitored.eip, ["traffic"], "5m", start, end, decompress=True))
    same(found["meter_set"][0]["data"], Monitored.decompressed)
