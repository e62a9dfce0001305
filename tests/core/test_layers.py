"""Modules import only what stands above them, and running an environment needs nothing that it does not use."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import envscaler_gym
from tests import toys

PACKAGE = Path(envscaler_gym.__file__).parent

# A module imports from lines above its own, or from its own line.
ORDER = [
    ["errors", "types", "data", "positions", "syntax"],
    ["state", "ambient"],
    ["annotations", "deltas"],
    ["tools"],
    ["world", "verdicts", "invariants"],
    ["sampling"],
    ["spaces"],
    ["checks"],
    ["scenario"],
    ["manifest"],
    ["bundle"],
    ["draw", "users", "registry"],
    ["trust"],
    ["isolation"],
    ["episode", "render"],
    ["env"],
    ["suite", "chat", "trajectories"],
    ["wrappers"],
    ["vector"],
    ["formats"],
    ["quality"],
    ["llm"],
    ["synthesis"],
    ["rollout"],
    ["gallery"],
    ["integrations"],
    ["cli", "__main__"],
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
RUNNING = [name for name in LEVEL if LEVEL[name] <= LEVEL["vector"]]


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and layer of everything of ours that a file imports, at any depth of it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "envscaler_gym" else [module]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            if top == "envscaler_gym" and rest:
                yield node.lineno, rest.partition(".")[0]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_upward(path: Path) -> None:
    own = layer(path)
    assert own in LEVEL, f"{own} has no place in the order of layers"
    for line, imported in imports(path):
        if imported == "__version__":
            continue
        assert imported in LEVEL, f"{path.name}:{line}: no layer is called {imported}"
        assert imported == own or LEVEL[imported] <= LEVEL[own], f"{path.name}:{line}: {own} may not import {imported}"


def test_running_an_environment_imports_no_layer_that_is_for_something_else(run_python: Callable[..., str]) -> None:
    loaded = run_python(
        "import sys, gymnasium as gym, envscaler_gym\n"
        f"env = gym.make({toys.TEA_SHOP_ID!r})\n"
        "env.reset(seed=0); env.step({'content': ''}); env.close()\n"
        "print(*sorted(name for name in sys.modules if name.startswith('envscaler_gym.')))"
    )
    layers = {name.split(".")[1] for name in loaded.split()}
    assert {"env", "world", "checks"} <= layers <= set(RUNNING)


def test_importing_the_library_is_light(run_python: Callable[..., str]) -> None:
    """No heavy package, no process, no bundle's code."""
    code = """
import subprocess, multiprocessing, os, sys

def refuse(*_, **__):
    raise AssertionError("a process was started")

subprocess.Popen.__init__ = os.fork = os.posix_spawn = multiprocessing.Process.start = refuse
real, opened = open, []

def hook(event, arguments):
    if event == "open":
        opened.append(str(arguments[0]))

sys.addaudithook(hook)
import envscaler_gym
assert envscaler_gym.registry.ids()
heavy = {"typer", "rich", "litellm", "torch", "hypothesis", "ray", "pytest", "IPython"} & set(sys.modules)
print(sorted(heavy), [path for path in opened if path.endswith(("environment.py", "invariants.py", "scenarios.jsonl"))])
"""
    assert run_python(code).strip() == "[] []"


def public_modules() -> list[ModuleType]:
    names = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in PACKAGE.rglob("*.py")]
    dotted = (".".join(parts).removesuffix(".__init__") for parts in names if parts[-1] != "__main__")
    wanted = [name for name in sorted(dotted) if not name.startswith("envscaler_gym.cli")]
    return list(filter(None, map(_import, wanted)))


def _import(name: str) -> ModuleType | None:
    """Import a module; ``None`` where it needs an extra that is not installed, and says which."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if 'pip install "envscaler-gym[' not in str(error):
            raise
        return None


@pytest.mark.parametrize("module", public_modules(), ids=lambda module: module.__name__)
def test_all_is_sorted_and_exists(module: ModuleType) -> None:
    names = getattr(module, "__all__", None)
    if names is None:  # a module that is started, not imported
        return
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(module, name)] == []


def test_the_package_shows_what_it_exports_and_nothing_else() -> None:
    modules = {path.stem for path in PACKAGE.iterdir()} | {"annotations"}
    shown = {name for name in vars(envscaler_gym) if not name.startswith("_")}
    assert set(envscaler_gym.__all__) - modules == shown - modules
    assert all(hasattr(envscaler_gym, name) for name in envscaler_gym.__all__)


def test_public_objects_are_documented() -> None:
    objects = chain.from_iterable(
        ((f"{module.__name__}.{name}", getattr(module, name)) for name in getattr(module, "__all__", ()))
        for module in public_modules()
    )
    assert [name for name, value in objects if isinstance(value, type | FunctionType) and not value.__doc__] == []
