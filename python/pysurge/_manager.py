"""``Manager``: a run from Python, as in pysurge 1.0.1."""

import sys
from typing import Any

from . import _engine
from ._inherit import in_worker, inheritance
from ._paths import demo_folder
from ._signals import told_to_engine


class Manager:
    """Runs the tests of a config, with one worker process per CPU.

    Workers are new interpreters. They look for the classes where this process would, ``sys.path`` included. A class of
    the script itself is named ``__main__.Class``; the script is then imported by each worker, so what starts the
    run must stand under ``if __name__ == "__main__":``.

    Args:
        config: The config as loaded from YAML: ``{"tests": [{"test_class": "module.Class", "rate": 5}]}``.
        duration: How long iterations are started, in seconds; until Ctrl+C where it is None or 0.
        debug: Whether debug log lines are shown.

    Raises:
        ValueError: The config is wrong; the message names every key that is, and what to do.
    """

    def __init__(self, config: dict[str, Any], duration: float | None, debug: bool = False) -> None:
        self.config = config
        self.duration = duration
        self.debug = debug
        _sent(config)
        _engine.check_config(config, duration)

    def start(self) -> None:
        """Run the tests and print the report; returns when the run is over.

        Log lines and report go to standard output, progress and diagnostics to standard error. Ctrl+C ends the run
        early, a second one does not wait for running iterations; neither raises KeyboardInterrupt.

        Raises:
            ValueError: The config was changed and is wrong now.
            RuntimeError: The run could not be carried out, a class cannot be loaded for example.
        """
        if in_worker():
            raise RuntimeError(
                "this module starts a run when it is imported, and a worker has just imported it: "
                'put what starts the run under `if __name__ == "__main__":`'
            )
        sys.stdout.flush()
        sys.stderr.flush()
        with inheritance(wants_main=b"__main__" in _sent(self.config)), told_to_engine() as stops:
            _engine.run_config(self.config, self.duration, self.debug, sys.executable, demo_folder(), stops)


def _sent(config: dict[str, Any]) -> bytes:
    """The config in the form in which it can reach another process."""
    import pickle

    try:
        return pickle.dumps(config)
    except Exception as error:
        raise ValueError(f"the config holds something that cannot be handed to worker processes: {error}") from None
