"""Networks: EIPs, security groups, vxnets, routers and their statics."""

import json

from client_scenarios import fields, same, scenario
from qingcloud.iaas.router_static import RouterStaticFactory
from qingcloud.iaas.sg_rule import SecurityGroupRuleFactory
from sdk import Network, cease, conn, done, ok, refused, run_instance


@scenario
def eips():
    first, second = ok(conn.allocate_eips(10, count=2, eip_name="python's (eip) *!~"))["eips"]
    found = ok(conn.describe_eips(eips=[first, second], status=["available"], search_word="(eip) *!~"))
    same(found["total_count"], 2)
    eip = found["eip_set"][0]
    same(
        fields(eip, "eip_name", "bandwidth", "billing_mode", "resource"),
        ("python's (eip) *!~", 10, "bandwidth", {}),
    )
    ok(conn.modify_eip_attributes(first, eip_name="中文", description="of the SDK"))
    done(conn.change_eips_bandwidth([first, second], 20))
    done(conn.change_eips_billing_mode([first], "traffic"))
    eip = ok(conn.describe_eips(eips=[first]))["eip_set"][0]
    same(
        fields(eip, "eip_name", "description", "bandwidth", "billing_mode"),
        ("中文", "of the SDK", 20, "traffic"),
    )
    lease = ok(conn.get_lease_info(first))["lease_info"]
    same(fields(lease, "resource_id", "status"), (first, "active"))
    done(conn.release_eips([first, second], force=1))
    same(ok(conn.describe_eips())["total_count"], 0)
    refused(conn.release_eips(["eip-nowhere0"]), 2100, "eip-nowhere0")


@scenario
def security_groups():
    group = ok(conn.create_security_group("web"))["security_group_id"]
    create = SecurityGroupRuleFactory.create
    rules = [
        create("tcp", 1, direction=0, action="accept", val1="22", val2="22").to_json(),
        create("udp", 2, val1="500").to_json(),
        create("icmp", 3, val1="8", val2="0").to_json(),
        create("gre", 4, val3="203.0.113.0/24").to_json(),
    ]
    ids = ok(conn.add_security_group_rules(group, rules))["security_group_rules"]
    same(len(ids), 4)
    same(ok(conn.describe_security_groups([group]))["security_group_set"][0]["is_applied"], 0)
    done(conn.apply_security_group(group))
    same(ok(conn.describe_security_groups([group]))["security_group_set"][0]["is_applied"], 1)
    ok(conn.modify_security_group_rule_attributes(ids[0], priority=9, protocol="tcp", rule_action="drop", val2="23"))
    rule = ok(conn.describe_security_group_rules(security_group_rules=[ids[0]]))["security_group_rule_set"][0]
    same(fields(rule, "protocol", "priority", "action", "val1", "val2"), ("tcp", 9, "drop", "22", "23"))
    again = SecurityGroupRuleFactory.create_from_string(json.dumps(rule)).to_json()
    same(fields(again, "protocol", "val1", "val2"), ("tcp", "22", "23"))
    ok(conn.delete_security_group_rules(ids))
    same(ok(conn.describe_security_group_rules(group))["total_count"], 0)
    ok(conn.modify_security_group_attributes(group, security_group_name="renamed", description="of the SDK"))
    found = ok(conn.describe_security_groups(search_word="renamed", verbose=1))["security_group_set"][0]
    same(fields(found, "security_group_id", "description", "resources"), (group, "of the SDK", []))
    ok(conn.delete_security_groups([group]))


@scenario
def vxnets():
    ids = ok(conn.create_vxnets("net", vxnet_type=1, count=2))["vxnets"]
    found = ok(conn.describe_vxnets(ids, vxnet_type=1, verbose=1))
    same(found["total_count"], 2)
    same(fields(found["vxnet_set"][0], "vxnet_name", "vpc_router_id", "instance_ids"), ("net", "", []))
    ok(conn.modify_vxnet_attributes(ids[0], vxnet_name="renamed", description="of the SDK"))
    same(ok(conn.describe_vxnets(search_word="renamed"))["vxnet_set"][0]["description"], "of the SDK")
    same(ok(conn.describe_vxnet_instances(ids[0]))["instance_set"], [])
    ok(conn.delete_vxnets(ids))


@scenario
def routers():
    net = Network()
    router = ok(conn.describe_routers([net.router], verbose=1))["router_set"][0]
    same(fields(router, "router_name", "status", "transition_status", "eip"), ("vpc", "active", "", {}))
    same([item["vxnet_id"] for item in router["vxnets"]], [net.vxnet])
    same(ok(conn.describe_routers(vxnet=net.vxnet))["router_set"][0]["router_id"], net.router)
    joined = ok(conn.describe_router_vxnets(net.router))["router_vxnet_set"][0]
    same(
        fields(joined, "vxnet_id", "ip_network", "manager_ip", "dyn_ip_start", "dyn_ip_end"),
        (net.vxnet, "192.168.1.0/24", "192.168.1.1", "192.168.1.2", "192.168.1.254"),
    )
    eip = ok(conn.allocate_eips(5))["eips"][0]
    group = ok(conn.create_security_group("vpc"))["security_group_id"]
    ok(conn.modify_router_attributes(net.router, eip=eip, security_group=group, router_name="renamed"))
    done(conn.update_routers([net.router]))
    done(conn.apply_security_group(group))
    router = ok(conn.describe_routers(search_word="renamed"))["router_set"][0]
    same((router["eip"]["eip_id"], router["security_group_id"], router["is_applied"]), (eip, group, 1))
    resource = ok(conn.describe_eips([eip]))["eip_set"][0]["resource"]
    same(fields(resource, "resource_id", "resource_type"), (net.router, "router"))
    refused(conn.release_eips([eip]), 1400, net.router)
    refused(conn.delete_routers([net.router]), 5400, net.router)
    refused(conn.delete_vxnets([net.vxnet]), 5400, net.vxnet)
    refused(conn.delete_security_groups([group]), 5400, group)
    done(conn.poweroff_routers([net.router]))
    refused(conn.update_routers([net.router]), 1400, net.router)
    done(conn.poweron_routers([net.router]))
    ok(conn.modify_router_attributes(net.router, eip=""))
    done(conn.update_routers([net.router]))
    done(conn.release_eips([eip]))
    net.remove()
    ok(conn.delete_security_groups([group]))


@scenario
def router_statics():
    net = Network()
    instance = run_instance(vxnets=[net.vxnet + "|192.168.1.2"])
    create, kinds = RouterStaticFactory.create, RouterStaticFactory
    gre = {"peer_config": "198.51.100.9|7|10.254.1.2|10.254.1.3", "target_network": "192.168.3.0/24"}
    ipsec = {"peer_config": "198.51.100.10|aes|k3y|198.51.100.10", "local_network": "192.168.1.0/24"}
    made = [
        create(kinds.TYPE_PORT_FORWARDING, src_port=2222, dst_ip="192.168.1.2", dst_port=22),
        create(kinds.TYPE_VPN, vpn_type="openvpn", ip_network="10.255.1.0/24"),
        create(kinds.TYPE_VPN, vpn_type="pptp", usr="someone", pwd="Passw0rd", ip_network="10.255.2.0/24"),
        create(kinds.TYPE_DHCP, instance_id=instance, dhcp_config="domain-name-servers=8.8.8.8"),
        create(kinds.TYPE_TUNNEL, vxnet_id=net.vxnet, tunnel_entries=[("gre", "198.51.100.8", "9")]),
        create(kinds.TYPE_L3GRE, **gre),
        create(kinds.TYPE_IPSEC, target_network="192.168.2.0/24", **ipsec),
        create(kinds.TYPE_DNS, local_domain="node1", local_addr="192.168.1.2"),
    ]
    ids = ok(conn.add_router_statics(net.router, [static.to_json() for static in made]))["router_statics"]
    done(conn.update_routers([net.router]))
    found = ok(conn.describe_router_statics(router=net.router, router_statics=ids))["router_static_set"]
    same([static["router_static_id"] for static in found], ids)
    same([static["static_type"] for static in found], [1, 2, 2, 3, 4, 6, 7, 8])
    same([found[i]["val1"] for i in (0, 5, 6)], ["2222", gre["peer_config"], ipsec["peer_config"]])
    # What was read makes the same static again. The SDK reads type 7's val3 wrongly, so that one is left out.
    for i in (0, 5, 7):
        again, first = RouterStaticFactory.create(**found[i]).to_json(), made[i].to_json()
        values = ("static_type", "val1", "val2")
        same([str(again[name]) for name in values], [str(first[name]) for name in values])
    same(ok(conn.describe_router_statics(router=net.router, static_type=7))["total_count"], 1)
    same(ok(conn.describe_vxnet_instances(net.vxnet))["instance_set"][0]["instance_id"], instance)
    filtering = create(kinds.TYPE_FILTERING, src_ip="1.2.3.4", action="drop").to_json()
    refused(conn.add_router_statics(net.router, [filtering]), 1400, net.router)
    ok(conn.modify_router_static_attributes(ids[0], router_static_name="ssh", val1=2223, val2="192.168.1.2", val3=22))
    ok(conn.modify_router_static_attributes(ids[6], disabled=1))
    same(ok(conn.describe_routers([net.router]))["router_set"][0]["is_applied"], 0)
    done(conn.update_routers([net.router]))
    found = ok(conn.describe_router_statics(router=net.router, router_statics=[ids[0]]))["router_static_set"][0]
    same(fields(found, "router_static_name", "val1"), ("ssh", "2223"))
    ok(conn.delete_router_statics(ids))
    same(ok(conn.describe_router_statics(router=net.router))["total_count"], 0)
    cease(instance)
    net.remove()


@scenario
def router_static_entries():
    net = Network()
    tunnel = RouterStaticFactory.create(
        RouterStaticFactory.TYPE_L3GRE,
        peer_config="198.51.100.9|7|10.254.1.2|10.254.1.3",
        target_network="192.168.3.0/24",
    ).to_json()
    static = ok(conn.add_router_statics(net.router, [tunnel]))["router_statics"][0]
    entry = ok(conn.add_router_static_entries(static, [{"val1": "192.168.4.0/24"}]))["router_static_entries"][0]
    found = ok(conn.describe_router_static_entries(router_static=static))["router_static_entry_set"]
    same(sorted(item["val1"] for item in found), ["192.168.3.0/24", "192.168.4.0/24"])
    ok(conn.modify_router_static_entry_attributes(entry, router_static_entry_name="far", val1="192.168.5.0/24"))
    found = ok(conn.describe_router_static_entries([entry]))["router_static_entry_set"][0]
    same(fields(found, "router_static_entry_name", "val1", "router_static_id"), ("far", "192.168.5.0/24", static))
    static_found = ok(conn.describe_router_statics(router=net.router))["router_static_set"][0]
    same(sorted(item["val1"] for item in static_found["entry_set"]), ["192.168.3.0/24", "192.168.5.0/24"])
    ok(conn.delete_router_static_entries([entry]))
    same(ok(conn.describe_router_static_entries(router_static=static))["total_count"], 1)
    ok(conn.delete_router_statics([static]))
    net.remove()


@scenario
def copied_statics():
    source, target = Network(), Network()
    forward = RouterStaticFactory.create(
        RouterStaticFactory.TYPE_PORT_FORWARDING, src_port=2222, dst_ip="192.168.1.2", dst_port=22
    )
    static = ok(conn.add_router_statics(source.router, [forward.to_json()]))["router_statics"][0]
    ids = {"source_router": source.router, "dest_router": target.router, "dest_zone": "gpu1a"}
    ok(conn.send_request("CopyRouterStatics", {**ids, "router_statics": [static]}))
    copy = ok(conn.describe_router_statics(router=target.router))["router_static_set"][0]
    same(fields(copy, "static_type", "val1", "val2", "val3"), (1, "2222", "192.168.1.2", "22"))
    ok(conn.delete_router_statics([static, copy["router_static_id"]]))
    source.remove()
    target.remove()
