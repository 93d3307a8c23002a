package main

import (
	"fmt"
	"os"
	"time"

	"github.com/yunify/qingcloud-sdk-go/client"
	qc "github.com/yunify/qingcloud-sdk-go/service"
)

func (c *cloud) endpoint() string {
	settings := c.service.Config
	return fmt.Sprintf("%s://%s:%d/iaas", settings.Protocol, settings.Host, settings.Port)
}

// zones is what the Terraform provider asks before anything else.
func zones(c *cloud) {
	found := must(c.service.DescribeZones(&qc.DescribeZonesInput{Status: list(str("active"))}))
	same("number of zones", len(found.ZoneSet), 2)
	same("zone", found.ZoneSet[0].ZoneID, "gpu1a")
	same("status", found.ZoneSet[0].Status, "active")
}

func tags(c *cloud) {
	tag := must(c.tags.CreateTag(&qc.CreateTagInput{TagName: str("crew"), Color: str("#9f9bb7")})).TagID
	eip := must(c.eips.AllocateEIPs(&qc.AllocateEIPsInput{Bandwidth: num(1)})).EIPs[0]
	pairs := []*qc.ResourceTagPair{{TagID: tag, ResourceType: str("eip"), ResourceID: eip}}
	must(c.tags.AttachTags(&qc.AttachTagsInput{ResourceTagPairs: pairs}))
	found := must(c.eips.DescribeEIPs(&qc.DescribeEIPsInput{Tags: list(tag)}))
	same("tag of the EIP", found.EIPSet[0].Tags[0].TagName, "crew")
	described := must(c.tags.DescribeTags(&qc.DescribeTagsInput{Tags: list(tag), Verbose: num(1)})).TagSet[0]
	same("resource_count", described.ResourceCount, 1)
	same("resource", described.ResourceTagPairs[0].ResourceID, *eip)
	same("resource type", described.ResourceTypeCount[0].ResourceType, "eip")
	must(c.tags.ModifyTagAttributes(&qc.ModifyTagAttributesInput{Tag: tag, TagName: str("renamed"), Color: str("#abc")}))
	same("colour", must(c.tags.DescribeTags(&qc.DescribeTagsInput{SearchWord: str("renamed")})).TagSet[0].Color, "#abc")
	must(c.tags.DetachTags(&qc.DetachTagsInput{ResourceTagPairs: pairs}))
	same("EIPs with the tag", must(c.eips.DescribeEIPs(&qc.DescribeEIPsInput{Tags: list(tag)})).TotalCount, 0)
	must(c.tags.DeleteTags(&qc.DeleteTagsInput{Tags: list(tag)}))
	c.done(must(c.eips.ReleaseEIPs(&qc.ReleaseEIPsInput{EIPs: list(eip)})).JobID)
}

func jobs(c *cloud) {
	eip := must(c.eips.AllocateEIPs(&qc.AllocateEIPsInput{Bandwidth: num(1)})).EIPs[0]
	job := must(c.eips.ReleaseEIPs(&qc.ReleaseEIPsInput{EIPs: list(eip)})).JobID
	c.done(job)
	same("status", must(client.CheckJobStatus(c.jobs, *job)), "successful")
	found := must(c.jobs.DescribeJobs(&qc.DescribeJobsInput{Jobs: list(job), Status: list(str("successful"))})).JobSet[0]
	same("job_action", found.JobAction, "ReleaseEips")
	same("resource_ids", found.ResourceIDs, *eip)
	err := client.WaitJob(c.jobs, "j-nowhere0", patience, interval)
	same("error", err.Error(), "Can not find job [j-nowhere0]")
}

func imagesAndTypes(c *cloud) {
	image := must(c.images.DescribeImages(&qc.DescribeImagesInput{Images: list(str("img-bare")), Provider: str("system"), OSFamily: str("debian")})).ImageSet[0]
	same("platform", image.Platform, "linux")
	same("status", image.Status, "available")
	same("size", image.Size, 20)
	kind := must(c.instances.DescribeInstanceTypes(&qc.DescribeInstanceTypesInput{InstanceTypes: list(str("c1m1"))})).InstanceTypeSet[0]
	same("CPUs", kind.VCPUsCurrent, 1)
	same("memory", kind.MemoryCurrent, 1024)
	same("status", kind.Status, "available")
}

func quotas(c *cloud) {
	left := func() int {
		found := must(c.misc.GetQuotaLeft(&qc.GetQuotaLeftInput{Zone: &c.zone, ResourceTypes: list(str("eip"))})).QuotaLeftSet
		same("number of quotas", len(found), 1)
		return *found[0].Left
	}
	before := left()
	eip := must(c.eips.AllocateEIPs(&qc.AllocateEIPsInput{Bandwidth: num(1)})).EIPs[0]
	same("quota left", left(), before-1)
	c.done(must(c.eips.ReleaseEIPs(&qc.ReleaseEIPsInput{EIPs: list(eip)})).JobID)
	limits := must(c.misc.GetResourceLimit(&qc.GetResourceLimitInput{Zone: &c.zone})).ResourceLimits
	same("EIPs", limits.MaxEIPCount, before)
	same("bandwidth", limits.MaxEIPBandwidth, 1000)
}

// What was measured of an EIP of another zone: the SDK gives it compressed, as it comes.
func monitoring(c *cloud) {
	var eip string
	var start int64
	must(fmt.Sscan(os.Getenv("MONITORED"), &eip, &start))
	from, to := time.Unix(start, 0).UTC(), time.Unix(start+3600, 0).UTC()
	meters := must(must(c.service.Monitor("gpu2a")).GetMonitor(&qc.GetMonitorInput{
		Resource: &eip, Meters: list(str("traffic")), Step: str("5m"), StartTime: &from, EndTime: &to,
	})).MeterSet
	same("meter", meters[0].MeterID, "traffic")
	pair := func(first, second float64) []any { return []any{first, second} }
	same("data", meters[0].Data, []any{
		[]any{float64(start), pair(10, 20)}, pair(1, 2), "NA", []any{900.0, pair(3, 4)},
	})
	made := c.makeNetwork()
	found := must(c.routers.GetRouterMonitor(&qc.GetRouterMonitorInput{
		Resource: made.router, Meters: list(made.vxnet), Step: str("5m"), StartTime: &from, EndTime: &to,
	}))
	same("resource", found.ResourceID, *made.router)
	same("meter", found.MeterSet[0].MeterID, *made.vxnet)
	c.remove(made)
}

func nothingLeft(c *cloud) {
	same("EIPs", must(c.eips.DescribeEIPs(nil)).TotalCount, 0)
	same("routers", must(c.routers.DescribeRouters(nil)).TotalCount, 0)
	same("vxnets", must(c.vxnets.DescribeVxNets(&qc.DescribeVxNetsInput{VxNetType: num(1)})).TotalCount, 0)
	same("instances", must(c.instances.DescribeInstances(nil)).TotalCount, 0)
	same("volumes", must(c.volumes.DescribeVolumes(nil)).TotalCount, 0)
	same("tags", must(c.tags.DescribeTags(nil)).TotalCount, 0)
	same("key pairs", must(c.keypairs.DescribeKeyPairs(nil)).TotalCount, 0)
	groups := must(c.groups.DescribeSecurityGroups(nil))
	same("security groups", groups.TotalCount, 1)
	same("is_default", groups.SecurityGroupSet[0].IsDefault, 1)
}
