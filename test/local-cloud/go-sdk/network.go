package main

import (
	qc "github.com/yunify/qingcloud-sdk-go/service"
)

func eips(c *cloud) {
	made := must(c.eips.AllocateEIPs(&qc.AllocateEIPsInput{Bandwidth: num(10), Count: num(2), EIPName: str("my eip")})).EIPs
	same("number of EIPs", len(made), 2)
	found := must(c.eips.DescribeEIPs(&qc.DescribeEIPsInput{EIPs: made, Status: list(str("available")), SearchWord: str("my eip")}))
	same("total_count", found.TotalCount, 2)
	eip := found.EIPSet[0]
	same("name", eip.EIPName, "my eip")
	same("bandwidth", eip.Bandwidth, 10)
	same("billing mode", eip.BillingMode, "bandwidth")
	same("resource", eip.Resource, qc.EIPResource{})
	must(c.eips.ModifyEIPAttributes(&qc.ModifyEIPAttributesInput{EIP: made[0], EIPName: str("renamed"), Description: str("of Go")}))
	c.done(must(c.eips.ChangeEIPsBandwidth(&qc.ChangeEIPsBandwidthInput{EIPs: made, Bandwidth: num(20)})).JobID)
	c.done(must(c.eips.ChangeEIPsBillingMode(&qc.ChangeEIPsBillingModeInput{EIPs: made[:1], BillingMode: str("traffic")})).JobID)
	eip = must(c.eips.DescribeEIPs(&qc.DescribeEIPsInput{EIPs: made[:1]})).EIPSet[0]
	same("name", eip.EIPName, "renamed")
	same("description", eip.Description, "of Go")
	same("bandwidth", eip.Bandwidth, 20)
	same("billing mode", eip.BillingMode, "traffic")
	c.done(must(c.eips.ReleaseEIPs(&qc.ReleaseEIPsInput{EIPs: made})).JobID)
	same("EIPs left", must(c.eips.DescribeEIPs(nil)).TotalCount, 0)
	_, err := c.eips.ReleaseEIPs(&qc.ReleaseEIPsInput{EIPs: list(str("eip-nowhere0"))})
	refused(err, 2100)
}

func securityGroups(c *cloud) {
	group := must(c.groups.CreateSecurityGroup(&qc.CreateSecurityGroupInput{SecurityGroupName: str("web")})).SecurityGroupID
	rules := must(c.groups.AddSecurityGroupRules(&qc.AddSecurityGroupRulesInput{SecurityGroup: group, Rules: []*qc.SecurityGroupRule{
		{Protocol: str("tcp"), Priority: num(1), Action: str("accept"), Direction: num(0), Val1: str("80"), Val2: str("443")},
		{Protocol: str("esp"), Priority: num(2), Action: str("accept"), Val3: str("203.0.113.0/24"), SecurityGroupRuleName: str("peers")},
	}})).SecurityGroupRules
	same("number of rules", len(rules), 2)
	describe := func() *qc.SecurityGroup {
		return must(c.groups.DescribeSecurityGroups(&qc.DescribeSecurityGroupsInput{SecurityGroups: list(group), Verbose: num(1)})).SecurityGroupSet[0]
	}
	same("is_applied", describe().IsApplied, 0)
	c.done(must(c.groups.ApplySecurityGroup(&qc.ApplySecurityGroupInput{SecurityGroup: group})).JobID)
	same("is_applied", describe().IsApplied, 1)
	same("is_default", describe().IsDefault, 0)
	must(c.groups.ModifySecurityGroupRuleAttributes(&qc.ModifySecurityGroupRuleAttributesInput{SecurityGroupRule: rules[0], Priority: num(7), RuleAction: str("drop"), Val1: str("443")}))
	rule := must(c.groups.DescribeSecurityGroupRules(&qc.DescribeSecurityGroupRulesInput{SecurityGroupRules: rules[:1], Direction: num(0)})).SecurityGroupRuleSet[0]
	same("priority", rule.Priority, 7)
	same("action", rule.Action, "drop")
	same("val1", rule.Val1, "443")
	same("direction", rule.Direction, 0)
	must(c.groups.DeleteSecurityGroupRules(&qc.DeleteSecurityGroupRulesInput{SecurityGroupRules: rules}))
	same("rules left", must(c.groups.DescribeSecurityGroupRules(&qc.DescribeSecurityGroupRulesInput{SecurityGroup: group})).TotalCount, 0)
	must(c.groups.ModifySecurityGroupAttributes(&qc.ModifySecurityGroupAttributesInput{SecurityGroup: group, SecurityGroupName: str("renamed"), Description: str("of Go")}))
	same("name", describe().SecurityGroupName, "renamed")
	must(c.groups.DeleteSecurityGroups(&qc.DeleteSecurityGroupsInput{SecurityGroups: list(group)}))
}

func vxnets(c *cloud) {
	made := must(c.vxnets.CreateVxNets(&qc.CreateVxNetsInput{VxNetType: num(1), VxNetName: str("net"), Count: num(2)})).VxNets
	found := must(c.vxnets.DescribeVxNets(&qc.DescribeVxNetsInput{VxNets: made, VxNetType: num(1), Verbose: num(1)}))
	same("total_count", found.TotalCount, 2)
	same("vpc_router_id", found.VxNetSet[0].VpcRouterID, "")
	must(c.vxnets.ModifyVxNetAttributes(&qc.ModifyVxNetAttributesInput{VxNet: made[0], VxNetName: str("renamed"), Description: str("of Go")}))
	found = must(c.vxnets.DescribeVxNets(&qc.DescribeVxNetsInput{SearchWord: str("renamed")}))
	same("description", found.VxNetSet[0].Description, "of Go")
	same("instances", len(must(c.vxnets.DescribeVxNetInstances(&qc.DescribeVxNetInstancesInput{VxNet: made[0]})).InstanceSet), 0)
	must(c.vxnets.DeleteVxNets(&qc.DeleteVxNetsInput{VxNets: made}))
}

// network is a router with a vxnet, 192.168.1.0/24.
type network struct {
	router, vxnet *string
}

func (c *cloud) makeNetwork() network {
	made := must(c.routers.CreateRouters(&qc.CreateRoutersInput{RouterName: str("vpc"), VpcNetwork: str("192.168.0.0/16")}))
	c.done(made.JobID)
	vxnet := must(c.vxnets.CreateVxNets(&qc.CreateVxNetsInput{VxNetType: num(1)})).VxNets[0]
	joined := must(c.routers.JoinRouter(&qc.JoinRouterInput{Router: made.Routers[0], VxNet: vxnet, IPNetwork: str("192.168.1.0/24")}))
	c.done(joined.JobID)
	return network{made.Routers[0], vxnet}
}

func (c *cloud) remove(made network) {
	c.done(must(c.routers.LeaveRouter(&qc.LeaveRouterInput{Router: made.router, VxNets: list(made.vxnet)})).JobID)
	must(c.vxnets.DeleteVxNets(&qc.DeleteVxNetsInput{VxNets: list(made.vxnet)}))
	c.done(must(c.routers.DeleteRouters(&qc.DeleteRoutersInput{Routers: list(made.router)})).JobID)
}

func routers(c *cloud) {
	made := c.makeNetwork()
	describe := func() *qc.Router {
		return must(c.routers.DescribeRouters(&qc.DescribeRoutersInput{Routers: list(made.router), Verbose: num(1)})).RouterSet[0]
	}
	router := describe()
	same("name", router.RouterName, "vpc")
	same("type", router.RouterType, 1)
	same("status", router.Status, "active")
	same("transition", router.TransitionStatus, "")
	same("EIP of a router without one", router.EIP, qc.EIP{})
	joined := must(c.routers.DescribeRouterVxNets(&qc.DescribeRouterVxNetsInput{Router: made.router})).RouterVxNetSet[0]
	same("vxnet", joined.VxNetID, *made.vxnet)
	same("manager_ip", joined.ManagerIP, "192.168.1.1")
	same("dyn_ip_end", joined.DYNIPEnd, "192.168.1.254")
	same("features", joined.Features, 1)
	vxnet := must(c.vxnets.DescribeVxNets(&qc.DescribeVxNetsInput{VxNets: list(made.vxnet)})).VxNetSet[0]
	same("vpc_router_id", vxnet.VpcRouterID, *made.router)
	same("network of the vxnet", vxnet.Router.IPNetwork, "192.168.1.0/24")

	eip := must(c.eips.AllocateEIPs(&qc.AllocateEIPsInput{Bandwidth: num(5)})).EIPs[0]
	must(c.routers.ModifyRouterAttributes(&qc.ModifyRouterAttributesInput{Router: made.router, EIP: eip, RouterName: str("renamed")}))
	same("is_applied", describe().IsApplied, 0)
	c.done(must(c.routers.UpdateRouters(&qc.UpdateRoutersInput{Routers: list(made.router)})).JobID)
	router = describe()
	same("is_applied", router.IsApplied, 1)
	same("EIP", router.EIP.EIPID, *eip)
	same("vxnet of the router", router.VxNets[0].VxNetID, *made.vxnet)
	resource := must(c.eips.DescribeEIPs(&qc.DescribeEIPsInput{EIPs: list(eip)})).EIPSet[0].Resource
	same("resource of the EIP", resource.ResourceID, *made.router)
	certs := must(c.routers.GetVPNCerts(&qc.GetVPNCertsInput{Router: made.router, Platform: str("mac")}))
	same("router of the certificates", certs.RouterID, *made.router)
	same("start of the certificate", (*certs.ClientCrt)[:27], "-----BEGIN CERTIFICATE-----")
	certificates := must(c.routers.GetVPNCerts(&qc.GetVPNCertsInput{Router: made.router, Platform: str("linux")}))
	same("router of the certificates", certificates.RouterID, *made.router)
	same("start of the certificate", (*certificates.CaCert)[:27], "-----BEGIN CERTIFICATE-----")
	c.done(must(c.routers.PowerOffRouters(&qc.PowerOffRoutersInput{Routers: list(made.router)})).JobID)
	same("status", describe().Status, "poweroffed")
	c.done(must(c.routers.PowerOnRouters(&qc.PowerOnRoutersInput{Routers: list(made.router)})).JobID)
	// The SDK trims the space: the value arrives empty, which unbinds.
	must(c.routers.ModifyRouterAttributes(&qc.ModifyRouterAttributesInput{Router: made.router, EIP: str(" "), RouterName: str(" ")}))
	c.done(must(c.routers.UpdateRouters(&qc.UpdateRoutersInput{Routers: list(made.router)})).JobID)
	same("EIP", describe().EIP, qc.EIP{})
	same("name", describe().RouterName, "")
	c.done(must(c.eips.ReleaseEIPs(&qc.ReleaseEIPsInput{EIPs: list(eip)})).JobID)
	c.remove(made)
	same("status of a deleted router", describe().Status, "deleted")
}

func routerStatics(c *cloud) {
	made := c.makeNetwork()
	ids := must(c.routers.AddRouterStatics(&qc.AddRouterStaticsInput{Router: made.router, Statics: []*qc.RouterStatic{
		{RouterID: made.router, StaticType: num(1), Val1: str("2222"), Val2: str("192.168.1.2"), Val3: str("22"), Val4: str("tcp")},
		{RouterID: made.router, StaticType: num(6), RouterStaticName: str("gre"), Val1: str("198.51.100.9|7|10.254.1.2|10.254.1.3"), Val2: str("192.168.2.0/24")},
	}})).RouterStatics
	found := must(c.routers.DescribeRouterStatics(&qc.DescribeRouterStaticsInput{Router: made.router, RouterStatics: ids[1:], StaticType: num(6)}))
	same("total_count", found.TotalCount, 1)
	same("name", found.RouterStaticSet[0].RouterStaticName, "gre")
	same("val1", found.RouterStaticSet[0].Val1, "198.51.100.9|7|10.254.1.2|10.254.1.3")
	must(c.routers.ModifyRouterStaticAttributes(&qc.ModifyRouterStaticAttributesInput{RouterStatic: ids[0], RouterStaticName: str("ssh"), Val1: str("2223"), Val2: str("192.168.1.2"), Val3: str("22"), Val4: str("tcp")}))
	c.done(must(c.routers.UpdateRouters(&qc.UpdateRoutersInput{Routers: list(made.router)})).JobID)
	forward := must(c.routers.DescribeRouterStatics(&qc.DescribeRouterStaticsInput{Router: made.router, RouterStatics: ids[:1]})).RouterStaticSet[0]
	same("val1", forward.Val1, "2223")
	same("name", forward.RouterStaticName, "ssh")
	must(c.routers.DeleteRouterStatics(&qc.DeleteRouterStaticsInput{RouterStatics: ids}))
	c.remove(made)
}

func routerStaticEntries(c *cloud) {
	made := c.makeNetwork()
	static := must(c.routers.AddRouterStatics(&qc.AddRouterStaticsInput{Router: made.router, Statics: []*qc.RouterStatic{
		{StaticType: num(6), Val1: str("198.51.100.9|7|10.254.1.2|10.254.1.3"), Val2: str("192.168.3.0/24")},
	}})).RouterStatics[0]
	entry := must(c.routers.AddRouterStaticEntries(&qc.AddRouterStaticEntriesInput{RouterStatic: static, Entries: []*qc.RouterStaticEntry{
		{RouterStaticEntryName: str("near"), Val1: str("192.168.4.0/24")},
	}})).RouterStaticEntries[0]
	same("entries", must(c.routers.DescribeRouterStaticEntries(&qc.DescribeRouterStaticEntriesInput{RouterStatic: static})).TotalCount, 2)
	must(c.routers.ModifyRouterStaticEntryAttributes(&qc.ModifyRouterStaticEntryAttributesInput{RouterStaticEntry: entry, RouterStaticEntryName: str("far"), Val1: str("192.168.5.0/24")}))
	set := must(c.routers.DescribeRouterStatics(&qc.DescribeRouterStaticsInput{Router: made.router})).RouterStaticSet[0].EntrySet
	same("first entry", set[0].Val1, "192.168.3.0/24")
	same("second entry", set[1].Val1, "192.168.5.0/24")
	same("id of the second entry", set[1].RouterStaticEntryID, *entry)
	must(c.routers.DeleteRouterStaticEntries(&qc.DeleteRouterStaticEntriesInput{RouterStaticEntries: list(entry)}))
	found := must(c.routers.DescribeRouterStaticEntries(&qc.DescribeRouterStaticEntriesInput{RouterStatic: static})).RouterStaticEntrySet
	same("entries", len(found), 1)
	same("entry that is left", found[0].Val1, "192.168.3.0/24")
	must(c.routers.DeleteRouterStatics(&qc.DeleteRouterStaticsInput{RouterStatics: list(static)}))
	c.remove(made)
}
