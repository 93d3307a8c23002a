"""Networks: EIPs, security groups, vxnets, routers and their statics."""

import json

from client_scenarios import fields, same, scenario
from command_line import done, ok, refused


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
    same(ok("describe-routers -r %s -s deleted" % router)["total_count"], 1)


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
def router_static_entries():
    router = done("create-routers -N vpc -n 192.168.0.0/16")["routers"][0]
    gre = [{"static_type": "6", "val1": "1.2.3.4|7|10.254.1.2|10.254.1.3", "val2": "192.168.3.0/24"}]
    static = ok("add-router-statics -r %s -s '%s'" % (router, json.dumps(gre)))["router_statics"][0]
    entries = json.dumps([{"val1": "192.168.4.0/24"}])
    entry = ok("add-router-static-entries -s %s -e '%s'" % (static, entries))["router_static_entries"][0]
    found = ok("describe-router-static-entries -s %s" % static)["router_static_entry_set"]
    same(sorted(item["val1"] for item in found), ["192.168.3.0/24", "192.168.4.0/24"])
    ok("modify-router-static-entry-attributes -e %s -N far --val1 192.168.5.0/24" % entry)
    found = ok("describe-router-static-entries -e %s" % entry)["router_static_entry_set"][0]
    same(fields(found, "router_static_entry_name", "val1"), ("far", "192.168.5.0/24"))
    ok("delete-router-static-entries -e %s" % entry)
    same(ok("describe-router-static-entries -s %s" % static)["total_count"], 1)
    ok("delete-router-statics -s %s" % static)
    done("delete-routers -r %s" % router)
