"""`python -m zena.kit.supervisor DESCRIPTOR`: read the plan from the descriptor and carry it out."""

import sys

from zena.kit.supervisor.plan import Plan
from zena.kit.supervisor.run import Supervisor

sys.exit(Supervisor(Plan.from_descriptor(int(sys.argv[1]))).run())
