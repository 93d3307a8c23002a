/** The options of the local cloud's commands. */
import { Command, CommanderError, Option } from "commander";
import { logs, reset, start, status, stop } from "./commands.ts";
import { Failure, refusal } from "./failure.ts";
import { addFault, clearFaults, listFaults } from "./fault-commands.ts";
import { link } from "./link-commands.ts";

const program = new Command("cloud")
  .description("a QingCloud-compatible cloud on this machine")
  .exitOverride();
const home = (): Option =>
  new Option("--home <dir>", "where its state, keys and logs are").default(".local-cloud");
const json = (): Option => new Option("--json", "print JSON");

program
  .command("start")
  .description("start it and wait until its API answers")
  .addOption(home())
  .option(
    "--port <n>",
    "port of the API on 127.0.0.1; 0 takes any (default: the home's, or 7080 or the next free)",
  )
  .addOption(
    new Option("--data-plane <kind>", "what stands behind the API")
      .choices(["linux", "none"])
      .default("linux"),
  )
  .option(
    "--jobs <setting>",
    "how long jobs take: instant, realistic or a JSON file {action: seconds}",
    "instant",
  )
  .option("--rate-limit <calls>", "API calls allowed: CALLS (in an hour) or CALLS/SECONDS")
  .addOption(
    new Option(
      "--mss-clamp <switch>",
      "whether routers lower the segment size of TCP to what their tunnels carry (default: the home's, or on)",
    ).choices(["on", "off"]),
  )
  .option(
    "--quota <name=n,…>",
    "how much of something a zone gives to the account, e.g. instance=2000,cpu=4096 (default: the home's, or the usual)",
  )
  .option(
    "--link <a,b,…>",
    "how the internet between two zones is: gpu1a,gpu2a,rtt=30,mtu=1400,loss=0.5,seed=1,cut,mtu-blackhole (repeatable; default: the home's)",
    (text: string, before: readonly string[] = []) => [...before, text],
  )
  .option("--web-root <dir>", "what the web server inside the internet serves (default: scripts/train)")
  .option("--foreground", "run in this process until it is told to end")
  .addOption(json())
  .action(start);
program
  .command("stop")
  .description("stop it and everything it runs")
  .addOption(home())
  .addOption(json())
  .action(stop);
program
  .command("status")
  .description("what it has and whether it runs")
  .addOption(home())
  .addOption(json())
  .action(status);
program
  .command("reset")
  .description("remove all its resources")
  .addOption(home())
  .addOption(json())
  .action(reset);
program
  .command("logs")
  .description("print its log")
  .addOption(home())
  .option("-f, --follow", "go on as it grows")
  .action(logs);
program
  .command("link [zones...]")
  .description("show how the internet between zones is, or change it for two zones")
  .option("--rtt <ms>", "milliseconds added to every round trip")
  .option("--mtu <bytes>", "largest packet that passes whole, 576 to 1500")
  .option("--mtu-blackhole", "senders of larger packets are not told")
  .option("--no-mtu-blackhole", "senders of larger packets are told again")
  .option("--loss <percent>", "chance of every packet to be lost, each way")
  .option("--seed <n>", "lets the same packets be lost every time")
  .option("--cut", "nothing passes")
  .option("--no-cut", "what was cut passes again")
  .option("--reset", "make it perfect again, but for what else is given")
  .addOption(home())
  .addOption(json())
  .action(link);
const fault = program.command("fault").description("let calls, jobs and zones meet faults");
fault
  .command("add")
  .description("add a fault")
  .requiredOption(
    "--kind <kind>",
    "of calls: refuse, lose-request, lose-answer, delay, http; of the jobs that they start: fail-job, hang-job; of the rest: exhaust, crash-node, crash-router, cut-link, lose-packets, delay-packets, cut-tunnel, clock",
  )
  .option("--action <name>", "calls of this action of the API, or * for any")
  .option("--zone <id>", "only in this zone")
  .option(
    "--resource <id>",
    "only calls that name this resource; what crashes; the router static that is cut",
  )
  .option("--times <n>", "how many calls meet it (default: 1)")
  .option("--nth <n>", "the how-manieth call for it is the first to meet it (default: 1)")
  .option("--code <n>", "ret_code of refuse and fail-job (default: 5000), HTTP status of http (default: 502)")
  .option("--message <text>", "message of refuse and fail-job")
  .option(
    "--of <thing>",
    "what the zone runs out of with exhaust: eip, instance, gpu, router, vxnet or volume",
  )
  .option(
    "--seconds <s>",
    "how long delay takes, or after how long a fault of the rest is over (default: when cleared)",
  )
  .option("--between <a,b>", "the zones of cut-link, lose-packets and delay-packets, e.g. gpu1a,gpu2a")
  .option("--loss <percent>", "chance of a packet to be lost with lose-packets")
  .option("--rtt <ms>", "milliseconds that delay-packets adds to a round trip")
  .option("--offset <s>", "how far the server's clock is ahead, or behind where negative")
  .addOption(home())
  .addOption(json())
  .action(addFault);
fault
  .command("list")
  .description("print the faults that are there")
  .addOption(home())
  .addOption(json())
  .action(listFaults);
fault
  .command("clear [id]")
  .description("take one fault back, or all; a job that hangs then ends")
  .addOption(home())
  .addOption(json())
  .action(clearFaults);

/** 0: done. 1: failed. 2: the user can fix it. 3: `status` found none that runs. */
try {
  await program.parseAsync();
} catch (error) {
  // Commander has said what is wrong, or printed the help that was asked for.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    const message = error instanceof Failure ? error.message : refusal(error);
    if (message === undefined) throw error;
    process.stderr.write(`cloud: ${message}\n`);
    process.exitCode = 2;
  }
}
