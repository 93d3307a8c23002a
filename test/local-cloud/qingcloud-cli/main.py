"""Every kind of resource from its making to its end by QingCloud's own CLI. Usage: main.py CONFIG_YAML"""

import account  # noqa: F401
import compute  # noqa: F401
import network  # noqa: F401
import remains  # noqa: F401
from client_scenarios import run
from qingcloud.cli.iaas_client.actions import ActionManager

run(ActionManager.get_action(command).action for command in ActionManager.get_valid_actions())
