"""What is left in the end."""

from client_scenarios import same, scenario
from sdk import conn, ok


@scenario
def nothing_left():
    lists = (
        conn.describe_eips,
        conn.describe_routers,
        conn.describe_instances,
        conn.describe_volumes,
        conn.describe_tags,
        conn.describe_key_pairs,
    )
    left = {describe.__name__: ok(describe())["total_count"] for describe in lists}
    same(left, {describe.__name__: 0 for describe in lists})
    same([item["vxnet_id"] for item in ok(conn.describe_vxnets())["vxnet_set"]], ["vxnet-0"])
    same([item["is_default"] for item in ok(conn.describe_security_groups())["security_group_set"]], [1])
