"""Put the parts of ``schemas/rules.schema.json`` into it: ``make schemas``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pbxrules.language import bundle

SCHEMAS = Path(__file__).parent.parent / "schemas"
PARTS = SCHEMAS / "parts"
BASE = "rules"


def documents(folder: Path) -> Iterator[tuple[str, Any]]:
    """The schemas of *folder*, by the names of their files."""
    for path in folder.glob("*.schema.json"):
        yield path.name.removesuffix(".schema.json"), json.loads(path.read_text("utf-8"))


def bundled() -> str:
    """The text of ``rules.schema.json``."""
    files = dict(documents(PARTS))
    base = files.pop(BASE)
    parts = {kind: dict(documents(PARTS / kind)) for kind in ("actions", "steps", "conditions")}
    whole = bundle(base, **parts, files=files)
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (SCHEMAS / "rules.schema.json").write_text(bundled(), "utf-8")
