"""A configuration as it will be, checked before any of it is put in place."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runbook import facts
from runbook.hub.configuration import read_configuration
from runbook.hub.lint import Finding, lint
from runbook.templates import render

FRAGMENTS = "jupyterhub_config.d"


def preview(
    config_dir: Path,
    new: Mapping[str, str],
    python: Path,
    owner: tuple[str, str],
    as_hub: Sequence[str],
) -> list[Finding]:
    """The findings about the fragments of ``config_dir``, with ``new`` (text by name) laid over.

    They are read in a folder of a moment's life that belongs to ``owner``, the hub's account,
    as which ``as_hub`` runs the reader. The findings name the files as they will be called.
    """
    folder = Path(tempfile.mkdtemp(prefix="runbook-lint-"))
    try:
        main = _lay_out(folder, config_dir, new)
        for path in (folder, *folder.rglob("*")) if facts.is_root() else ():
            shutil.chown(path, *owner)
        found = lint(read_configuration(main, python, as_hub, folder))
        return [replace(f, file=config_dir / f.file.relative_to(folder)) for f in found]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lay_out(folder: Path, config_dir: Path, new: Mapping[str, str]) -> Path:
    fragments = folder / FRAGMENTS
    fragments.mkdir()
    for path in (config_dir / FRAGMENTS).glob("*.py"):
        if path.is_file() and not path.name.startswith("."):
            shutil.copyfile(path, fragments / path.name)
    for name, text in new.items():
        (fragments / name).write_text(text)
    main = folder / "jupyterhub_config.py"
    main.write_text(render("jupyterhub_config.py", config_dir=str(folder)))
    return main
