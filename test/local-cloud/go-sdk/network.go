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
