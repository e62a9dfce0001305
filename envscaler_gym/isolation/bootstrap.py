"""Start of the zygote: ``python -P -s -S -B bootstrap.py PACKAGE LIBRARIES SOCKET HOST``.

It makes the few modules of the library that a worker needs importable without running the library's ``__init__``,
which would load Gymnasium, NumPy and pydantic.

Args:
    PACKAGE: Folder of the library's package.
    LIBRARIES: Folder that holds msgspec.
    SOCKET: Descriptor of the socket to the host.
    HOST: Process that started this one.
"""

from __future__ import annotations

import importlib
import sys
import types


def main(package: str, libraries: str, socket: str, host: str) -> None:
    """Make the modules importable and serve the host."""
    for name, folder in (("envscaler_gym", package), ("envscaler_gym.isolation", f"{package}/isolation")):
        stub = types.ModuleType(name)
        stub.__path__ = [folder]
        sys.modules[name] = stub
    sys.path.append(libraries)
    zygote = importlib.import_module("envscaler_gym.isolation.zygote")
    zygote.prepare()
    sys.path.remove(libraries)
    zygote.serve(int(socket), int(host))


if __name__ == "__main__":
    main(*sys.argv[1:])
