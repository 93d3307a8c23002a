/** How QingCloud's own clients reach a local cloud: all of them read the config.yaml of its home. */
import { quoted } from "./words.ts";

export interface ClientCommands {
  readonly cli: string;
  readonly python: string;
  readonly go: string;
}

/** Lines to copy, the first two into a shell, the last into a program. @param config path of the config.yaml */
export function clientCommands(config: string): ClientCommands {
  const connection = `qingcloud.iaas.APIConnection(**yaml.safe_load(open(${JSON.stringify(config)})))`;
  const program = `import qingcloud.iaas, yaml; print(${connection}.describe_zones())`;
  return {
    cli: `qingcloud iaas describe-eips -f ${quoted(config)}`,
    python: `python3 -c ${quoted(program)}`,
    go: `settings, _ := config.NewDefault(); settings.LoadConfigFromFilepath(${JSON.stringify(config)})`,
  };
}
