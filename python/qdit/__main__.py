"""Run the command line as ``python -m qdit``."""

import sys

from .cli.main import main

sys.exit(main())
