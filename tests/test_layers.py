"""A module imports only from lower layers, and above the line nothing touches the world."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pbxrules

PACKAGE = Path(pbxrules.__file__).parent
LINE = "-- the line --"

LAYERS = [
    ["codes", "errors", "printable", "records"],
    ["hints", "listing", "model", "members", "yamlfaults", "yamlplaces"],
    ["mismatches", "outcomes"],
    ["yamlsource", "template", "resends", "calls"],
    ["schema"],
    ["pbx"],
    ["language"],
    ["misplaced", "timewords"],
    ["conditions", "rulefile"],
    ["steps"],
    ["index", "programs", "scripts", "misses"],
    ["rules", "memory"],
    ["lint", "walking"],
    ["runs"],
    ["engine"],
    ["testing"],
    ["explaining"],
    ["replaying"],
    [LINE],
    ["alarms", "clock", "shipped", "store", "actions", "systemd", "control", "watching", "zones"],
    ["config", "loading", "logs", "progress", "sending", "recall", "tellings"],
    ["callbook", "casebook", "casefiles", "console", "dispatcher", "reportflags", "retracing"],
    ["showing", "simulating"],
    ["explainbook", "intake", "replaybook"],
    ["web"],
    ["app"],
    ["demo"],
    ["commands"],
    ["cli"],
]
"""From the lowest; the parts of one layer know nothing of each other."""

WORLD = frozenset(
    {
        "asyncio", "logging", "os", "pathlib", "random", "socket", "sqlite3", "subprocess", "time",
        "tornado", "paho",
        # What would be the same by another name.
        "secrets", "threading", "multiprocessing", "concurrent", "queue", "select", "selectors",
        "signal", "shutil", "tempfile", "glob", "ssl", "http", "urllib.request", "uuid",
    }
)  # fmt: skip
CLOCKS = frozenset({"now", "utcnow", "today", "time", "monotonic"})

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py"
}
PURE = {name for layer in LAYERS[: LAYERS.index([LINE])] for name in layer}


def part(module: str) -> str:
    """The entry of ``LAYERS`` that a module (or a name in it) belongs to."""
    return module.split(".", maxsplit=1)[0]


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """What a module imports, wherever in it, and whether only for its types."""
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: by its whole name"
            # `from pbxrules import rules` names the module behind the import.
            inside = node.module == "pbxrules"
            names = (
                [f"{node.module}.{a.name}" for a in node.names] if inside else [node.module or ""]
            )
        else:
            continue
        yield from ((name, id(node) in for_types) for name in names)


def test_every_module_has_its_layer() -> None:
    listed = [name for layer in LAYERS for name in layer if name != LINE]
    assert sorted(listed) == sorted({part(module) for module in MODULES})


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_from_lower_layers(module: str) -> None:
    heights = {name: height for height, layer in enumerate(LAYERS) for name in layer}
    own = part(module)
    wrong = [
        name
        for name, _ in imports(MODULES[module])
        if name.startswith("pbxrules.")
        and part(name.removeprefix("pbxrules.")) in heights
        and part(name.removeprefix("pbxrules.")) != own
        and heights[part(name.removeprefix("pbxrules."))] >= heights[own]
    ]
    assert wrong == []


@pytest.mark.parametrize("module", sorted(m for m in MODULES if part(m) in PURE))
def test_above_the_line_nothing_touches_the_world(module: str) -> None:
    touched = {
        name
        for name, for_types in imports(MODULES[module])
        if not for_types and (name in WORLD or part(name) in WORLD)
    }
    assert touched == set()


@pytest.mark.parametrize("module", sorted(m for m in MODULES if part(m) in PURE))
def test_above_the_line_nothing_reads_a_clock_or_a_file(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    called = {
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in {"open", "input", "print"})
            or (isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS)
        )
    }
    assert called == set()
