"""What belongs to the account: zones, jobs, images, tags."""

from client_scenarios import Monitored, fields, same, scenario
from command_line import done, ok, refused


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
def monitoring():
    """The CLI reads local times; here they are UTC."""
    start, end = (Monitored.time(seconds, "%Y-%m-%d %H:%M:%S") for seconds in (0, 3600))
    line = "get-monitoring-data -r %s -m traffic,flow -s 5m -b '%s' -e '%s'" % (Monitored.eip, start, end)
    found = ok("%s -z %s" % (line, Monitored.zone))["meter_set"]
    same([meter["meter_id"] for meter in found], ["traffic", "flow"])
    same(found[0]["data"], Monitored.compressed)
    found = ok("%s --decompress -z %s" % (line, Monitored.zone))["meter_set"]
    same(found[0]["data"], Monitored.decompressed)
