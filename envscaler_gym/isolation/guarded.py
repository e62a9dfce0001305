"""The builtins and modules that generated code finds in a worker.

They are a second line only: the first is the kernel's (:mod:`~envscaler_gym.isolation.lockdown`). Their use is that
honest code fails early and clearly where it reaches for something that a worker does not have.
"""

from __future__ import annotations

import importlib
import io
import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any

from envscaler_gym.ambient import ambient_builtins

__all__ = ["MODULES", "guarded_builtins", "preload"]

MODULES = frozenset({
    "__future__", "_strptime", "abc", "array", "base64", "binascii", "bisect", "calendar", "cmath", "collections",
    "contextlib", "contextvars", "copy", "copyreg", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum",
    "fractions", "functools", "graphlib", "hashlib", "heapq", "hmac", "html", "io", "itertools", "json", "keyword",
    "locale", "logging", "math", "numbers", "operator", "pprint", "random", "re", "reprlib", "secrets",
    "statistics", "string", "struct", "sys", "textwrap", "threading", "time", "traceback", "types", "typing",
    "typing_extensions", "unicodedata", "uuid", "warnings", "weakref", "zlib", "zoneinfo",
})  # fmt: skip
"""The top-level modules that can be imported."""

_SUBMODULES = ("collections.abc", "html.entities", "html.parser", "json.decoder", "json.encoder")
_LAZY = (  # modules that the others import only when a function is called
    "ast", "linecache", "stringprep", "tokenize", "tracemalloc",
    *(f"encodings.{name}" for name in (
        "ascii", "base64_codec", "cp1252", "cp437", "hex_codec", "idna", "iso8859_15", "latin_1", "punycode",
        "raw_unicode_escape", "rot_13", "unicode_escape", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_7",
        "utf_8", "utf_8_sig",
    )),
)  # fmt: skip
_REFUSED = (
    "open", "input", "breakpoint", "exec", "eval", "compile", "help", "exit", "quit", "copyright", "credits",
    "license", "__loader__", "__spec__",
)  # fmt: skip
_SYS = (
    "byteorder", "float_info", "getrecursionlimit", "getsizeof", "hash_info", "implementation", "int_info", "intern",
    "maxsize", "maxunicode", "platform", "stderr", "stdout", "version", "version_info",
)  # fmt: skip


def preload() -> None:
    """Import everything that generated code may need, since nothing can be read from disk later."""
    for name in sorted(MODULES) + list(_SUBMODULES) + list(_LAZY):
        try:
            importlib.import_module(name)
        except ImportError:  # typing_extensions may not be installed beside msgspec
            continue


def guarded_builtins() -> dict[str, Any]:
    """Return the builtins for the globals of generated code."""
    builtins = ambient_builtins()
    imports = builtins["__import__"]
    proxies: dict[str, types.ModuleType] = {}

    def proxy(name: str) -> types.ModuleType:
        if name not in proxies:
            # With a list of names the import function returns the module itself, not its top-level package.
            proxies[name] = _proxy(imports(name, None, None, ("__name__",)))
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(proxy(parent), child, proxies[name])
        return proxies[name]

    def import_module(
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002, ARG001 - the signature of __import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002, ARG001
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        top = name.partition(".")[0]
        if level != 0 or top not in MODULES:
            raise ImportError(f"module {name!r} cannot be imported in a worker; there are {', '.join(sorted(MODULES))}")
        module = proxy(name)
        for child in fromlist or ():
            if f"{name}.{child}" in _SUBMODULES:
                proxy(f"{name}.{child}")
        return module if fromlist else proxy(top)

    return {name: value for name, value in builtins.items() if name not in _REFUSED} | {"__import__": import_module}


def _proxy(real: types.ModuleType) -> types.ModuleType:
    """Return a module with the public names of a real one, but without the modules that it imports."""
    module = types.ModuleType(real.__name__, real.__doc__)
    for name, value in vars(real).items():
        if real is sys and name not in _SYS:
            continue
        if real is io and name in ("open", "open_code", "FileIO"):
            continue
        if name == "__all__" or not (name.startswith("_") or isinstance(value, types.ModuleType)):
            setattr(module, name, value)
    return module
