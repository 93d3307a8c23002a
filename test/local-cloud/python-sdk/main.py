"""Every kind of resource from its making to its end by QingCloud's own Python SDK. Usage: main.py CONFIG_YAML"""

import account  # noqa: F401
import compute  # noqa: F401
import network  # noqa: F401
import remains  # noqa: F401
from client_scenarios import run
from qingcloud.iaas import constants

run(value for name, value in vars(constants).items() if name.startswith("ACTION_"))
