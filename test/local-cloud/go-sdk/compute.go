package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"

	"github.com/yunify/qingcloud-sdk-go/client"
	"github.com/yunify/qingcloud-sdk-go/config"
	qc "github.com/yunify/qingcloud-sdk-go/service"
)

func keypairs(c *cloud) {
	made := must(c.keypairs.CreateKeyPair(&qc.CreateKeyPairInput{KeyPairName: str("made")}))
	if !strings.HasPrefix(*made.PrivateKey, "-----BEGIN RSA PRIVATE KEY-----") {
		panic("the private key is " + *made.PrivateKey)
	}
	describe := func(keypair *string) *qc.KeyPair {
		return must(c.keypairs.DescribeKeyPairs(&qc.DescribeKeyPairsInput{KeyPairs: list(keypair), Verbose: num(1)})).KeyPairSet[0]
	}
	body := *describe(made.KeyPairID).PubKey
	given := must(c.keypairs.CreateKeyPair(&qc.CreateKeyPairInput{KeyPairName: str("given"), Mode: str("user"), PublicKey: str("ssh-rsa " + body + " someone@somewhere")}))
	found := describe(given.KeyPairID)
	same("key", *found.EncryptMethod+" "+*found.PubKey, "ssh-rsa "+body)
	same("instances", len(found.InstanceIDs), 0)
	must(c.keypairs.ModifyKeyPairAttributes(&qc.ModifyKeyPairAttributesInput{KeyPair: given.KeyPairID, KeyPairName: str("renamed"), Description: str("of Go")}))
	found = must(c.keypairs.DescribeKeyPairs(&qc.DescribeKeyPairsInput{SearchWord: str("renamed")})).KeyPairSet[0]
	same("description", found.Description, "of Go")
	ids := must(c.keypairs.DeleteKeyPairs(&qc.DeleteKeyPairsInput{KeyPairs: list(made.KeyPairID, given.KeyPairID)})).KeyPairs
	same("number of deleted key pairs", len(ids), 2)
}

func (c *cloud) describe(instance *string) *qc.Instance {
	return must(c.instances.DescribeInstances(&qc.DescribeInstancesInput{Instances: list(instance), Verbose: num(1)})).InstanceSet[0]
}

func (c *cloud) run(input qc.RunInstancesInput) *string {
	made := must(c.instances.RunInstances(&input))
	c.done(made.JobID)
	return made.Instances[0]
}

func instances(c *cloud) {
	keypair := must(c.keypairs.CreateKeyPair(nil)).KeyPairID
	net := c.makeNetwork()
	id := c.run(qc.RunInstancesInput{
		ImageID: str("img-bare"), CPU: num(2), Memory: num(4096), LoginMode: str("keypair"), LoginKeyPair: keypair,
		InstanceName: str("node"), VxNets: list(str(*net.vxnet + "|192.168.1.9")),
	})
	must(client.WaitInstanceStatus(c.instances, *id, client.InstanceStatusRunning, patience, interval))
	instance := must(client.WaitInstanceNetwork(c.instances, *id, patience, interval))
	same("address", instance.VxNets[0].PrivateIP, "192.168.1.9")
	instance = c.describe(id)
	same("CPUs", instance.VCPUsCurrent, 2)
	same("memory", instance.MemoryCurrent, 4096)
	same("image", instance.Image.ImageID, "img-bare")
	same("OS disk", instance.Extra.OSDiskSize, 20)
	same("EIP", instance.EIP, qc.EIP{})
	same("key pair", instance.KeyPairIDs[0], *keypair)
	in := must(c.vxnets.DescribeVxNetInstances(&qc.DescribeVxNetInstancesInput{VxNet: net.vxnet})).InstanceSet
	same("instances of the vxnet", len(in), 1)
	_, err := c.instances.StartInstances(&qc.StartInstancesInput{Instances: list(id)})
	refused(err, 1400)
	c.done(must(c.instances.RestartInstances(&qc.RestartInstancesInput{Instances: list(id)})).JobID)
	c.done(must(c.instances.StopInstances(&qc.StopInstancesInput{Instances: list(id), Force: num(1)})).JobID)
	c.done(must(c.instances.ResizeInstances(&qc.ResizeInstancesInput{Instances: list(id), CPU: num(4), Memory: num(8192)})).JobID)
	c.done(must(c.instances.ResetInstances(&qc.ResetInstancesInput{Instances: list(id), LoginMode: str("keypair"), LoginKeyPair: keypair})).JobID)
	c.done(must(c.instances.StartInstances(&qc.StartInstancesInput{Instances: list(id)})).JobID)
	must(c.instances.ModifyInstanceAttributes(&qc.ModifyInstanceAttributesInput{Instance: id, InstanceName: str("renamed"), Description: str("of Go")}))
	found := must(c.instances.DescribeInstances(&qc.DescribeInstancesInput{SearchWord: str("renamed"), Status: list(str("running")), ImageID: list(str("img-bare"))}))
	same("CPUs", found.InstanceSet[0].VCPUsCurrent, 4)
	same("description", found.InstanceSet[0].Description, "of Go")
	c.done(must(c.instances.TerminateInstances(&qc.TerminateInstancesInput{Instances: list(id)})).JobID)
	same("status", c.describe(id).Status, "terminated")
	c.done(must(c.instances.CeaseInstances(&qc.CeaseInstancesInput{Instances: list(id)})).JobID)
	same("status", c.describe(id).Status, "ceased")
	must(c.keypairs.DeleteKeyPairs(&qc.DeleteKeyPairsInput{KeyPairs: list(keypair)}))
	c.remove(net)
}

// As the Terraform provider makes an instance: alone at first, then everything joins it.
func instanceStepByStep(c *cloud) {
	keypair := must(c.keypairs.CreateKeyPair(nil)).KeyPairID
	group := must(c.groups.CreateSecurityGroup(nil)).SecurityGroupID
	eip := must(c.eips.AllocateEIPs(&qc.AllocateEIPsInput{Bandwidth: num(2)})).EIPs[0]
	net := c.makeNetwork()
	id := c.run(qc.RunInstancesInput{ImageID: str("img-bare"), LoginMode: str("passwd"), LoginPasswd: str("Passw0rd")})
	instance := c.describe(id)
	same("CPUs that the SDK asks for", instance.VCPUsCurrent, 1)
	same("memory that the SDK asks for", instance.MemoryCurrent, 1024)
	same("vxnets", len(instance.VxNets), 0)
	c.done(must(c.vxnets.JoinVxNet(&qc.JoinVxNetInput{VxNet: net.vxnet, Instances: list(id)})).JobID)
	c.done(must(c.keypairs.AttachKeyPairs(&qc.AttachKeyPairsInput{KeyPairs: list(keypair), Instances: list(id)})).JobID)
	c.done(must(c.groups.ApplySecurityGroup(&qc.ApplySecurityGroupInput{SecurityGroup: group, Instances: list(id)})).JobID)
	c.done(must(c.eips.AssociateEIP(&qc.AssociateEIPInput{EIP: eip, Instance: id})).JobID)
	instance = c.describe(id)
	same("vxnet", instance.VxNets[0].VxNetID, *net.vxnet)
	same("key pair", instance.KeyPairIDs[0], *keypair)
	same("security group", instance.SecurityGroup.SecurityGroupID, *group)
	same("EIP", instance.EIP.EIPID, *eip)
	same("bandwidth", instance.EIP.Bandwidth, 2)
	of := must(c.eips.DescribeEIPs(&qc.DescribeEIPsInput{InstanceID: id})).EIPSet
	same("EIP of the instance", of[0].EIPID, *eip)
	same("key pair of the instance", must(c.keypairs.DescribeKeyPairs(&qc.DescribeKeyPairsInput{InstanceID: id})).KeyPairSet[0].KeyPairID, *keypair)

	c.done(must(c.eips.DissociateEIPs(&qc.DissociateEIPsInput{EIPs: list(eip)})).JobID)
	c.done(must(c.keypairs.DetachKeyPairs(&qc.DetachKeyPairsInput{KeyPairs: list(keypair), Instances: list(id)})).JobID)
	c.done(must(c.vxnets.LeaveVxNet(&qc.LeaveVxNetInput{VxNet: net.vxnet, Instances: list(id)})).JobID)
	same("vxnets", len(c.describe(id).VxNets), 0)
	c.done(must(c.instances.TerminateInstances(&qc.TerminateInstancesInput{Instances: list(id)})).JobID)
	c.done(must(c.instances.CeaseInstances(&qc.CeaseInstancesInput{Instances: list(id)})).JobID)
	c.done(must(c.eips.ReleaseEIPs(&qc.ReleaseEIPsInput{EIPs: list(eip)})).JobID)
	must(c.groups.DeleteSecurityGroups(&qc.DeleteSecurityGroupsInput{SecurityGroups: list(group)}))
	must(c.keypairs.DeleteKeyPairs(&qc.DeleteKeyPairsInput{KeyPairs: list(keypair)}))
	c.remove(net)
}

// The SDK's client of a higher level looks every 10 s, so only what does not wait is called.
func instanceClient(c *cloud) {
	id := c.run(qc.RunInstancesInput{ImageID: str("img-bare"), LoginMode: str("passwd"), LoginPasswd: str("Passw0rd")})
	high := must(client.NewClient(c.service.Config, c.zone))
	same("instance", must(high.DescribeInstance(*id)).InstanceID, *id)
	_, err := high.DescribeInstance("i-nowhere0")
	same("error", err.Error(), "Instance with id [i-nowhere0] not exist")
	// An endpoint's path without the last slash is signed as it is.
	endpoint := must(config.NewWithEndpoint(c.service.Config.AccessKeyID, c.service.Config.SecretAccessKey, c.endpoint()))
	same("instance", must(must(client.NewClient(endpoint, c.zone)).DescribeInstance(*id)).InstanceID, *id)
	c.done(must(c.instances.TerminateInstances(&qc.TerminateInstancesInput{Instances: list(id)})).JobID)
	c.done(must(c.instances.CeaseInstances(&qc.CeaseInstancesInput{Instances: list(id)})).JobID)
}

func volumes(c *cloud) {
	id := c.run(qc.RunInstancesInput{ImageID: str("img-bare"), LoginMode: str("passwd"), LoginPasswd: str("Passw0rd")})
	made := must(c.volumes.CreateVolumes(&qc.CreateVolumesInput{Size: num(10), VolumeName: str("data"), Count: num(2)}))
	c.done(made.JobID)
	describe := func(volume *string) *qc.Volume {
		return must(c.volumes.DescribeVolumes(&qc.DescribeVolumesInput{Volumes: list(volume)})).VolumeSet[0]
	}
	volume := made.Volumes[0]
	same("status", describe(volume).Status, "available")
	c.done(must(c.volumes.AttachVolumes(&qc.AttachVolumesInput{Volumes: made.Volumes, Instance: id})).JobID)
	attached := describe(volume)
	same("status", attached.Status, "in-use")
	same("instance", attached.Instance.InstanceID, *id)
	same("volumes of the instance", len(c.describe(id).VolumeIDs), 2)
	_, err := c.volumes.DeleteVolumes(&qc.DeleteVolumesInput{Volumes: list(volume)})
	refused(err, 5400)
	c.done(must(c.volumes.DetachVolumes(&qc.DetachVolumesInput{Volumes: made.Volumes, Instance: id})).JobID)
	c.done(must(c.volumes.ResizeVolumes(&qc.ResizeVolumesInput{Volumes: list(volume), Size: num(30)})).JobID)
	must(c.volumes.ModifyVolumeAttributes(&qc.ModifyVolumeAttributesInput{Volume: volume, VolumeName: str("renamed"), Description: str("of Go")}))
	same("size", describe(volume).Size, 30)
	same("name", describe(volume).VolumeName, "renamed")
	c.done(must(c.volumes.DeleteVolumes(&qc.DeleteVolumesInput{Volumes: made.Volumes})).JobID)
	same("status", describe(volume).Status, "deleted")
	c.done(must(c.instances.TerminateInstances(&qc.TerminateInstancesInput{Instances: list(id)})).JobID)
	c.done(must(c.instances.CeaseInstances(&qc.CeaseInstancesInput{Instances: list(id)})).JobID)
}

func userdata(c *cloud) {
	// An empty archive: the end of a tar file is 1024 zero bytes, compressed here.
	var archive bytes.Buffer
	compressed := gzip.NewWriter(&archive)
	check(tar.NewWriter(compressed).Close())
	check(compressed.Close())
	content := base64.StdEncoding.EncodeToString(archive.Bytes())
	uploads := must(c.service.UserData(c.zone))
	uploaded := must(uploads.UploadUserDataAttachment(&qc.UploadUserDataAttachmentInput{AttachmentContent: &content, AttachmentName: str("files.tgz")}))
	id := c.run(qc.RunInstancesInput{
		ImageID: str("img-bare"), LoginMode: str("passwd"), LoginPasswd: str("Passw0rd"),
		NeedUserdata: num(1), UserdataType: str("tar"), UserdataValue: uploaded.AttachmentID,
	})
	c.done(must(c.instances.TerminateInstances(&qc.TerminateInstancesInput{Instances: list(id)})).JobID)
	c.done(must(c.instances.CeaseInstances(&qc.CeaseInstancesInput{Instances: list(id)})).JobID)
}
