"""What holds for all tests; pyproject.toml has the rest."""

import os

from hypothesis import settings

# No deadline: two busy cores are no failure.  In CI the same examples each time, so that
# what fails there was broken by the change at hand; people's runs look for new ones.
settings.register_profile(
    "pbxrules",
    deadline=None,
    print_blob=True,
    derandomize="CI" in os.environ,
)
settings.load_profile("pbxrules")
