"""Every kind of resource from its making to its end by QingCloud's own CLI. Usage: qingcloud_cli.py CONFIG_YAML

The commands run in this process, as `qingcloud` runs them, because a start of the CLI takes longer than what it does.
"""

import contextlib
import io
import json
import shlex
import sys

import qingcloud.cli.driver
from client_scenarios import fields, run, same, scenario, wait

config = sys.argv[1]


def cli(line):
    """What a command line prints, as JSON."""
    words = shlex.split(line)
    print("$ qingcloud iaas " + line)
    sys.argv = ["qingcloud", "iaas", words[0], "-f", config, *words[1:]]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            qingcloud.cli.driver.main()
    finally:
        print(said.getvalue())
    return json.loads(said.getvalue())


def ok(line):
    reply = cli(line)
    same(reply["ret_code"], 0)
    return reply


def done(line):
    """As ok, once the job of the command has succeeded."""
    reply = ok(line)
    job = reply["job_id"]

    def ended():
        found = ok("describe-jobs -j %s" % job)["job_set"][0]
        return found["status"] in ("successful", "failed") and found

    same(wait(ended, "job %s ends" % job)["status"], "successful")
    return reply


def refused(line, code, words):
    reply = cli(line)
    same(reply["ret_code"], code)
    assert words in reply["message"], reply


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


run()
