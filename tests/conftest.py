"""What holds for all tests; pyproject.toml has the rest."""

import os

import pytest
from hypothesis import Phase, settings

# No deadline: two busy cores are no failure.  In CI the same examples each time, so that
# what fails there was broken by the change at hand; people's runs look for new ones.
settings.register_profile(
    "pbxrules",
    deadline=None,
    print_blob=True,
    derandomize="CI" in os.environ,
)
settings.load_profile("pbxrules")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let one ask for more."""
    parser.addoption(
        "--streams",
        type=int,
        metavar="N",
        help="compare the engine with the reference over N random streams, new ones each time",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say how many."""
    asked = config.getoption("streams")
    # The same ones each time, so that a change is what fails; chance is asked for by number.
    settings.register_profile(
        "streams",
        max_examples=asked or 200,
        derandomize=asked is None,
        phases=[phase for phase in Phase if phase is not Phase.explain],  # it takes minutes
    )
