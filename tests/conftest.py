"""Settings of all tests, and the report on those that prove a statement of the book.

pytest tests -m statement --statements-report build/statements.json
"""

import json
from pathlib import Path

import hypothesis
import pytest

# The first run of a test loads what later ones find loaded, so time says nothing about it.
hypothesis.settings.register_profile("linvae", deadline=None)
hypothesis.settings.load_profile("linvae")


def pytest_addoption(parser):
    parser.addoption("--statements-report", type=Path, help="write {label: {test: outcome}} here")


def pytest_configure(config):
    path = config.getoption("--statements-report", default=None)
    if path and not hasattr(config, "workerinput"):  # under xdist only the main process writes
        config.pluginmanager.register(StatementsReport(path))


def pytest_itemcollected(item):
    labels = [label for mark in item.iter_markers("statement") for label in mark.args]
    if labels:
        item.user_properties.append(("statements", labels))


class StatementsReport:
    def __init__(self, path):
        self.path = path
        self.outcomes = {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:  # a failing setup or teardown counts too
            for label in dict(report.user_properties).get("statements", []):
                self.outcomes.setdefault(label, {})[report.nodeid] = report.outcome

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.outcomes, indent=1, sort_keys=True) + "\n", encoding="utf-8")
