"""A correction before it is written: only the mistake is different, by reading it like the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import zip_longest

from runbook.hub.configuration import Assignment, Configuration
from runbook.hub.lint import lint
from runbook.hub.lint.finding import Edit, Finding


def refuted(before: Configuration, after: Configuration, edits: Collection[Edit]) -> str:
    """What else would be different ``after`` the ``edits``; empty where nothing is.

    The findings of the edits have to be gone, too, and no other may have come.
    """
    if after.broken:
        return f"the configuration would not load any more: {after.broken.message}"
    if name := _other_value(before, after, edits):
        return f"{name} would have another value"
    old, new = lint(before), lint(after)
    if added := [finding for finding in new if _key(finding) not in map(_key, old)]:
        return f"it would be wrong then in another way: {added[0].what}"
    mended = [finding for finding in old if finding.edit in edits]
    if kept := [finding for finding in mended if _key(finding) in map(_key, new)]:
        return f"it would be found again: {kept[0].what}"
    return ""


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.code, str(finding.file), finding.what


def _other_value(before: Configuration, after: Configuration, edits: Collection[Edit]) -> str:
    renamed = {edit.name: edit.new_name for edit in edits}
    valued = {edit.name for edit in edits if edit.do == "value"}
    removed = {edit.name for edit in edits if edit.do == "remove"}
    left = [each for each in before.assignments if each.name not in removed]
    wanted = [_facts(each, renamed, valued) for each in left]
    got = [_facts(each, {}, valued) for each in after.assignments]
    for one, other in zip_longest(wanted, got):
        if one != other:
            return str((one or other or ("?",))[0])
    meant = {*renamed, *renamed.values()}
    old, new = dict(_values(before, meant)), dict(_values(after, meant))
    return next((name for name in {**old, **new} if old.get(name) != new.get(name)), "")


def _facts(
    place: Assignment, renamed: Mapping[str, str], valued: Collection[str]
) -> tuple[object, ...]:
    """What an assignment does; of one whose value is to be corrected, not the value."""
    value = () if place.name in valued else (place.type, _told(place))
    return renamed.get(place.name, place.name), place.how, place.file, *value


def _told(place: Assignment) -> str:
    """The value; of one that JSON does not know its text, for the order of a set is another in
    each process."""
    return _anywhere(place.shown if place.value is None else place.value)


def _anywhere(value: object) -> str:
    """A value as text, but for where in memory its functions are."""
    return re.sub(r"\b0x[0-9a-f]+", "0x", json.dumps(value, sort_keys=True))


def _values(configuration: Configuration, meant: Collection[str]) -> Iterator[tuple[str, object]]:
    """Every value in the end that no edit is about, and which classes are in use."""
    for section, traits in configuration.values.items():
        for trait, value in traits.items():
            if f"{section}.{trait}" not in meant:
                yield f"{section}.{trait}", _anywhere(value)
    for role, name in configuration.in_use.items():
        if f"JupyterHub.{role}_class" not in meant:
            yield f"JupyterHub.{role}_class in use", name
