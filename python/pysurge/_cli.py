"""The console script: enters Rust at once and stays there."""

import sys
from typing import NoReturn

from . import _engine
from ._paths import demo_folder
from ._signals import ignore_further, leave_to_engine


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    leave_to_engine()
    exit_code = _engine.main(sys.argv, sys.executable, demo_folder())
    ignore_further()
    sys.exit(exit_code)
