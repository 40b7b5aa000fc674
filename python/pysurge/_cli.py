"""The console script: enters Rust at once and stays there."""

import sys
from typing import NoReturn

from . import _engine
from ._paths import demo_folder
from ._signals import leave_to_engine


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    leave_to_engine()
    sys.exit(_engine.main(sys.argv, sys.executable, demo_folder()))
