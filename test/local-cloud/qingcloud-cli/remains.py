"""What is left in the end."""

from client_scenarios import same, scenario
from command_line import ok


@scenario
def nothing_left():
    kinds = ("eips", "routers", "instances", "volumes", "tags", "keypairs")
    same({kind: ok("describe-" + kind)["total_count"] for kind in kinds}, dict.fromkeys(kinds, 0))
    same([item["vxnet_id"] for item in ok("describe-vxnets")["vxnet_set"]], ["vxnet-0"])
    same([item["is_default"] for item in ok("describe-security-groups")["security_group_set"]], [1])
