"""The plugin that pysurge adds to its own pytest sessions: the mark, the choice of items, and what replaces pytest's runner.

pytest's runner writes to ``os.environ`` in each phase and keeps one stack of set-up nodes per process. Its hooks for items and
fixtures are taken out; those here do the same for the thread that calls them.
"""

from typing import Any

import pytest

from .runner import is_builtin

_REPLACED = (
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_fixture_setup",
    "pytest_fixture_post_finalizer",
    "pytest_pyfunc_call",
)

MARK = "surge(weight=1, rate=None, alone=False): under pysurge, the share of the load, a rate of its own, or to run alone"


class Plugin:
    """The plugin of one session."""

    def __init__(self, wanted: dict[str, int] | None = None) -> None:
        self.wanted = wanted
        self.errors: list[tuple[Any, BaseException]] = []
        self.failed_reports: list[Any] = []
        self.skipped: list[str] = []
        self.deselected = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> None:
        """Keep coverage from being measured: it would measure itself."""
        known = early_config.known_args_namespace
        if getattr(known, "cov_source", None):
            known.cov_source = []

    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell pytest of the mark."""
        config.addinivalue_line("markers", MARK)

    # -- collection ----------------------------------------------------------------------------------------------------

    def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
        """Keep what a collector raised."""
        if getattr(report, "when", None) == "collect" and call.excinfo is not None:
            self.errors.append((node, call.excinfo.value))

    def pytest_collectreport(self, report: Any) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self.failed_reports.append(report)
        elif report.skipped:
            self.skipped.append(report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr))

    def pytest_deselected(self, items: list[Any]) -> None:
        """Count what somebody took out."""
        self.deselected += len(items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Keep what a worker is to run."""
        if self.wanted is not None:
            items[:] = {item.nodeid: item for item in reversed(items) if item.nodeid in self.wanted}.values()
            items.reverse()

    # -- running -------------------------------------------------------------------------------------------------------

    def pytest_runtest_setup(self, item: Any) -> None:
        """Set up a clone."""
        item._surge.set_up_item()

    def pytest_runtest_call(self, item: Any) -> None:
        """Run a clone."""
        item.runtest()

    def pytest_runtest_teardown(self, item: Any) -> None:
        """Tear down a clone."""
        item._surge.tear_down_item()

    @pytest.hookimpl(trylast=True)
    def pytest_pyfunc_call(self, pyfuncitem: Any) -> object:
        """Call the test function."""
        pyfuncitem._surge.call_function()
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        """Call a fixture function."""
        return fixturedef.make(request)

    def replace_runner(self, config: pytest.Config) -> None:
        """Take pytest's own part out of the hooks above."""
        for name in _REPLACED:
            caller = getattr(config.hook, name)
            for each in caller.get_hookimpls():
                if is_builtin(each.plugin):
                    caller._remove_plugin(each.plugin)
