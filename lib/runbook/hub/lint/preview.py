"""A configuration as it will be, checked before any of it is put in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runbook import facts, safe_files
from runbook.hub.configuration import read_configuration
from runbook.hub.lint import Finding, lint
from runbook.templates import render

FRAGMENTS = "jupyterhub_config.d"


def preview(
    config_dir: Path,
    new: Mapping[str, str],
    python: Path,
    group: str,
    as_hub: Sequence[str],
) -> list[Finding]:
    """The findings about the fragments of ``config_dir``, with ``new`` (text by name) laid over.

    They are read in a folder of a moment's life that ``group``, that of the hub's account, can
    read, by ``as_hub`` as that account. The findings name the files as they will be called.
    """
    with safe_files.temporary_folder("lint", group) as folder:
        _lay_out(folder, config_dir, new, group)
        main = folder / "jupyterhub_config.py"
        found = lint(read_configuration(main, python, as_hub, folder))
        return [replace(f, file=config_dir / f.file.relative_to(folder)) for f in found]


def _lay_out(folder: Path, config_dir: Path, new: Mapping[str, str], group: str) -> None:
    fragments, owner = folder / FRAGMENTS, (facts.current_user(), group)
    safe_files.make_folder(fragments)
    safe_files.give(fragments, *owner, 0o750)
    there = [p for p in (config_dir / FRAGMENTS).glob("*.py") if not p.name.startswith(".")]
    texts = {f"{FRAGMENTS}/{p.name}": safe_files.glance(p) for p in there if p.is_file()}
    texts |= {f"{FRAGMENTS}/{name}": text.encode() for name, text in new.items()}
    texts["jupyterhub_config.py"] = render("jupyterhub_config.py", config_dir=str(folder)).encode()
    for name, content in texts.items():
        safe_files.write(folder / name, content, mode=0o640, owner=owner)
