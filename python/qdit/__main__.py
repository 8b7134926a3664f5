"""Run the command line as ``python -m qdit``."""

import sys

from .cli import main

sys.exit(main())
