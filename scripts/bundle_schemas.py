"""Put the schema of each action into ``schemas/rules.schema.json``: ``make schemas``."""

import json
from pathlib import Path

from pbxrules.language import bundle

SCHEMAS = Path(__file__).parent.parent / "schemas"


def bundled() -> str:
    """The text of ``rules.schema.json``."""
    base = json.loads((SCHEMAS / "parts" / "rules.schema.json").read_text("utf-8"))
    parts = {
        path.name.removesuffix(".schema.json"): json.loads(path.read_text("utf-8"))
        for path in (SCHEMAS / "parts" / "actions").glob("*.schema.json")
    }
    return json.dumps(bundle(base, parts), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (SCHEMAS / "rules.schema.json").write_text(bundled(), "utf-8")
