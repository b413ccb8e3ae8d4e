"""JH6xx: files and folders that are not there, as far as it can be judged from this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from runbook.hub.configuration import Assignment, Configuration
from runbook.hub.lint.finding import Finding, about, at
from runbook.hub.lint.known import is_local


def missing_pages(configuration: Configuration) -> Iterator[Finding]:
    for place in about(configuration, "JupyterHub", "template_paths", "logo_file"):
        value = configuration.value("JupyterHub", place.trait)
        for path in filter(_is_missing, value if isinstance(value, list) else [value]):
            kind = "folder" if place.trait == "template_paths" else "file"
            what = f"the {kind} {path} does not exist"
            why = "JupyterHub passes over it in silence and shows its own pages"
            remedy = f"make the {kind}, or correct the path"
            yield at(place, "JH601", "warning", what, why, remedy)


def missing_certificate(configuration: Configuration) -> Iterator[Finding]:
    given = {p.trait: p for p in about(configuration, "JupyterHub", "ssl_key", "ssl_cert")}
    for place in given.values():
        if _is_missing(place.value):
            what = f"the file {place.value} does not exist"
            why = "the proxy does not start without it"
            yield at(place, "JH602", "error", what, why, f"correct the path of {place.trait}")
    if len(given) == 1:
        place = next(iter(given.values()))
        if place.value:
            other = "ssl_cert" if place.trait == "ssl_key" else "ssl_key"
            what = f"{place.trait} is set, and {other} is not"
            why = "TLS takes a certificate and its private key"
            yield at(place, "JH603", "error", what, why, f"set c.JupyterHub.{other}, too")


def missing_folder_of_state(configuration: Configuration) -> Iterator[Finding]:
    for place in about(configuration, "JupyterHub", "cookie_secret_file", "db_url", "pid_file"):
        text = str(place.value or "")
        path = text.removeprefix("sqlite:///") if place.trait == "db_url" else text
        folder = Path(path).parent
        if path.startswith("/") and _is_missing(str(folder)):
            what = f"the folder {folder} does not exist"
            why = f"JupyterHub cannot write {path}, and exits"
            yield at(place, "JH606", "error", what, why, f"make the folder: mkdir {folder}")


def missing_notebook_dir(configuration: Configuration) -> Iterator[Finding]:
    if not is_local(configuration):
        return
    for place in about(configuration, "spawner", "notebook_dir"):
        if _is_missing(place.value):
            what = f"the folder {place.value} does not exist"
            why = "every server fails to start: 'No such directory'"
            remedy = "make the folder, readable for its users, or write ~/notebooks and make that"
            yield at(place, "JH604", "error", what, why, remedy)


def missing_program(configuration: Configuration) -> Iterator[Finding]:
    if not is_local(configuration):
        return
    traits = ["sudospawner_path"]
    if configuration.in_use["spawner"] != "SudoSpawner":
        traits.append("cmd")
    for place in about(configuration, "spawner", *traits):
        first = place.value[0] if isinstance(place.value, list) and place.value else place.value
        if problem := _not_runnable(first):
            what = f"{first} {problem}"
            why = "every server fails to start: 'Spawner failed to start'"
            remedy = "give the absolute path of a program that exists and may be executed"
            yield at(place, "JH605", "error", what, why, remedy)


def _is_missing(path: object) -> bool:
    """Only what is absolute, and the same for every user, can be judged from here."""
    if not isinstance(path, str) or not path.startswith("/") or "{" in path or "%U" in path:
        return False
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _not_runnable(path: object) -> str:
    if _is_missing(path):
        return "does not exist"
    if isinstance(path, str) and path.startswith("/") and os.path.isfile(path):
        return "" if os.stat(path).st_mode & 0o111 else "may not be executed"
    return ""


def not_read(configuration: Configuration) -> Iterator[Finding]:
    if configuration.file.suffix not in (".py", ".json"):
        place = Assignment("", "", None, "", "", configuration.file, 1)
        what = f"{configuration.file.name} does not end in .py"
        instead = configuration.file.with_suffix(".py").name
        why = f"JupyterHub replaces the ending, and reads {instead} instead"
        yield at(
            place, "JH002", "error", what, why, f"rename it: mv {configuration.file} {instead}"
        )


RULES = (
    not_read,
    missing_pages,
    missing_certificate,
    missing_folder_of_state,
    missing_notebook_dir,
    missing_program,
)
