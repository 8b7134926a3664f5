"""--skipped: run only what the last run had to skip, now that packages which it missed may be there."""

import pytest

KEY = "qdit/skipped"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--skipped", action="store_true", help="run only tests that the last run without this option skipped"
    )


def pytest_configure(config: pytest.Config) -> None:
    keeps = config.pluginmanager.has_plugin("cacheprovider") and not config.option.collectonly
    if keeps and not config.getoption("--skipped"):
        config.pluginmanager.register(Recorder(config))


class Recorder:
    """Keeps the ids of tests, and of whole modules, that were skipped."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.ids: set[str] = set()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.ids.add(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.ids.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self.config.cache.set(KEY, sorted(self.ids))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--skipped"):
        return
    ids = set(config.cache.get(KEY, []))
    if not ids:
        raise pytest.UsageError(
            "--skipped: no run that skipped anything is on record; run pytest without it first"
        )
    kept = [item for item in items if ids & {item.nodeid, item.nodeid.split("::")[0]}]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept
