// Every kind of resource from its making to its end by QingCloud's own Go SDK.
// Usage: go-sdk CONFIG_YAML; prints a report of its scenarios as JSON, each with what the SDK logged.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/yunify/qingcloud-sdk-go/client"
	"github.com/yunify/qingcloud-sdk-go/config"
	"github.com/yunify/qingcloud-sdk-go/logger"
	"github.com/yunify/qingcloud-sdk-go/request/errors"
	qc "github.com/yunify/qingcloud-sdk-go/service"
)

const (
	patience = 20 * time.Second
	interval = 3 * time.Millisecond
)

// cloud has the SDK's services of one zone.
type cloud struct {
	zone      string
	service   *qc.QingCloudService
	eips      *qc.EIPService
	groups    *qc.SecurityGroupService
	keypairs  *qc.KeyPairService
	vxnets    *qc.VxNetService
	routers   *qc.RouterService
	instances *qc.InstanceService
	images    *qc.ImageService
	volumes   *qc.VolumeService
	tags      *qc.TagService
	jobs      *qc.JobService
	misc      *qc.MiscService
}

func connect(path string) *cloud {
	settings := must(config.NewDefault())
	check(settings.LoadConfigFromFilepath(path))
	settings.LogLevel = "info"
	service := must(qc.Init(settings))
	zone := settings.Zone
	return &cloud{
		zone:      zone,
		service:   service,
		eips:      must(service.EIP(zone)),
		groups:    must(service.SecurityGroup(zone)),
		keypairs:  must(service.KeyPair(zone)),
		vxnets:    must(service.VxNet(zone)),
		routers:   must(service.Router(zone)),
		instances: must(service.Instance(zone)),
		images:    must(service.Image(zone)),
		volumes:   must(service.Volume(zone)),
		tags:      must(service.Tag(zone)),
		jobs:      must(service.Job(zone)),
		misc:      must(service.Misc()),
	}
}

// done waits with the SDK's own helper until the job has succeeded.
func (c *cloud) done(job *string) {
	check(client.WaitJob(c.jobs, *job, patience, interval))
}

func main() {
	c := connect(os.Args[1])
	type result struct {
		Name  string  `json:"name"`
		Error *string `json:"error"`
		Said  string  `json:"said"`
	}
	results := []result{}
	for _, scenario := range scenarios {
		said := &bytes.Buffer{}
		logger.SetOutput(said)
		err := attempt(func() { scenario.run(c) })
		results = append(results, result{scenario.name, err, said.String()})
	}
	report := map[string]any{"results": results, "actions": c.methods()}
	check(json.NewEncoder(os.Stdout).Encode(report))
}

// methods are the names of everything that the services can call.
func (c *cloud) methods() []string {
	names := []string{}
	monitor, userdata := must(c.service.Monitor(c.zone)), must(c.service.UserData(c.zone))
	for _, service := range []any{
		c.eips, c.groups, c.keypairs, c.vxnets, c.routers, c.instances, c.images, c.volumes, c.tags, c.jobs, c.misc,
		monitor, userdata,
	} {
		kind := reflect.TypeOf(service)
		for index := range kind.NumMethod() {
			names = append(names, kind.Method(index).Name)
		}
	}
	return names
}

type scenario struct {
	name string
	run  func(*cloud)
}

var scenarios = []scenario{
	{"zones", zones},
	{"eips", eips},
	{"security_groups", securityGroups},
	{"keypairs", keypairs},
	{"vxnets", vxnets},
	{"routers", routers},
	{"router_statics", routerStatics},
	{"router_static_entries", routerStaticEntries},
	{"instances", instances},
	{"instance_step_by_step", instanceStepByStep},
	{"instance_client", instanceClient},
	{"userdata", userdata},
	{"volumes", volumes},
	{"tags", tags},
	{"jobs", jobs},
	{"images_and_types", imagesAndTypes},
	{"quotas", quotas},
	{"monitoring", monitoring},
	{"nothing_left", nothingLeft},
}

func attempt(run func()) (failure *string) {
	defer func() {
		if reason := recover(); reason != nil {
			text := fmt.Sprintf("%v\n%s", reason, debug.Stack())
			failure = &text
		}
	}()
	run()
	return nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

// same panics unless both are the same, behind pointers too.
func same(what string, got, expected any) {
	value := reflect.ValueOf(got)
	if value.Kind() == reflect.Pointer && !value.IsNil() {
		got = value.Elem().Interface()
	}
	if !reflect.DeepEqual(got, expected) {
		panic(fmt.Sprintf("%s is %#v, expected %#v", what, got, expected))
	}
}

// refused panics unless the cloud has refused with this ret_code.
func refused(err error, code int) {
	refusal, is := err.(*errors.QingCloudError)
	if !is || refusal.RetCode != code {
		panic(fmt.Sprintf("expected ret_code %d, got %v", code, err))
	}
}

func str(value string) *string { return &value }
func num(value int) *int       { return &value }

// list is a list as the SDK wants it.
func list(ids ...*string) []*string { return ids }
