"""The mechanical corrections: edits of the very words, everything else stays byte for byte.

A correction is made of every place where its setting is named, or not at all: of none that may be
reached in a way that the text does not spell out, and only where the corrected text, read as the
hub reads it, differs in that setting alone.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runbook.hub.configuration import Configuration
from runbook.hub.lint.finding import Edit, Finding
from runbook.hub.lint.mentions import Chain, Source, Unclear
from runbook.hub.lint.proof import refuted
from runbook.hub.lint.spans import Span, applied, removal, replacement, value_span

Read = Callable[[Mapping[Path, bytes]], Configuration]


@dataclass(frozen=True)
class Correction:
    """A file as it is and as it would be, with the findings that this mends."""

    file: Path
    before: bytes
    after: bytes
    mended: tuple[Finding, ...]

    @property
    def diff(self) -> str:
        old, new = (text.decode("utf-8", "replace") for text in (self.before, self.after))
        lines = difflib.unified_diff(
            old.splitlines(), new.splitlines(), f"{self.file} (now)", f"{self.file} (fixed)",
            lineterm="",
        )  # fmt: skip
        return "\n".join(lines)


@dataclass(frozen=True)
class Fix:
    """What would be written, and why of other findings nothing is."""

    corrections: tuple[Correction, ...]
    withdrawn: Mapping[Finding, str]

    @property
    def mended(self) -> set[Finding]:
        return {finding for each in self.corrections for finding in each.mended}


def fix(configuration: Configuration, found: Iterable[Finding], read: Read) -> Fix:
    """Every correction that is proved; nothing is written.

    ``read`` reads the configuration with other texts for some of its files.
    """
    groups: dict[Edit, list[Finding]] = {}
    for finding in found:
        if finding.edit:
            groups.setdefault(finding.edit, []).append(finding)
    spans: dict[Edit, frozenset[Span]] = {}
    reasons: dict[Edit, str] = {}
    for edit, findings in groups.items():
        try:
            spans[edit] = _spans(configuration, edit, findings, spans)
        except Unclear as unclear:
            reasons[edit] = str(unclear)
    proved = _proved(configuration, spans, read, reasons)
    mended = [finding for edit in proved for finding in groups[edit]]
    made = _corrections(configuration, [s for edit in proved for s in spans[edit]], mended)
    withdrawn = {f: why for edit, why in reasons.items() for f in groups[edit]}
    return Fix(made, withdrawn)


def _proved(
    configuration: Configuration,
    spans: Mapping[Edit, frozenset[Span]],
    read: Read,
    reasons: dict[Edit, str],
) -> list[Edit]:
    """The edits that do what they should: all together, else what can be put one on another."""

    def objection(edits: Sequence[Edit]) -> str:
        texts = applied(configuration.texts, [s for edit in edits for s in spans[edit]])
        return refuted(configuration, read(texts), edits)

    if not spans or not objection(list(spans)):
        return list(spans)
    proved: list[Edit] = []
    for edit in spans:
        if reason := objection([*proved, edit]):
            reasons[edit] = reason
        else:
            proved.append(edit)
    return proved


def _corrections(
    configuration: Configuration, spans: Sequence[Span], mended: Sequence[Finding]
) -> tuple[Correction, ...]:
    return tuple(
        Correction(
            file, configuration.texts[file], text, tuple(f for f in mended if f.file == file)
        )
        for file, text in applied(configuration.texts, spans).items()
    )


def _spans(
    configuration: Configuration,
    edit: Edit,
    findings: Sequence[Finding],
    taken: Mapping[Edit, frozenset[Span]],
) -> frozenset[Span]:
    """Where the edit changes which words; raises `Unclear` where that cannot be told for sure."""
    sources = _sources(configuration)
    _refuse_unread(configuration, sources)
    for source in sources:
        for name in (edit.name, edit.new_name):
            source.refuse_hidden_ways(tuple(name.split(".")))
    kinds = {"rename": _renamed, "value": _valued, "remove": _removed}
    spans = frozenset(kinds[edit.do](configuration, sources, edit, findings))
    _refuse_others(configuration, edit, spans)
    if any(one.meets(other) for one in spans for others in taken.values() for other in others):
        raise Unclear("is mended after another one on the same words: run --fix again")
    return spans


def _refuse_others(configuration: Configuration, edit: Edit, spans: frozenset[Span]) -> None:
    """Raise `Unclear` for what only who lies would say, as another account that executed it may."""
    folder = configuration.file.resolve().parent
    for span in spans:
        if configuration.as_other_account and not span.file.resolve().is_relative_to(folder):
            raise Unclear(f"is in {span.file}, outside the folder of the configuration")
    if edit.do == "rename" and not edit.to.replace(".", "").isidentifier():
        raise Unclear(f"would become {edit.to!r}, which is no name")
    if edit.do == "value" and edit.to:
        try:
            ast.literal_eval(edit.to)
        except (ValueError, SyntaxError):
            raise Unclear(f"would become {edit.to!r}, which is no plain value") from None


def _sources(configuration: Configuration) -> list[Source]:
    return [Source(file, text) for file, text in configuration.texts.items()]


def _refuse_unread(configuration: Configuration, sources: Sequence[Source]) -> None:
    """Raise `Unclear` where settings come from elsewhere than the files that were executed."""
    for place in configuration.assignments:
        if place.file not in configuration.texts:
            raise Unclear(f"may be set by {place.file.name}, too, which is read in another way")
    for source in sources:
        for call in source.loads:
            lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
            if not any((source.file, line) in configuration.subconfigs for line in lines):
                raise Unclear(f"may be set by what {source.at(call)} loads, which was not executed")


def _renamed(
    configuration: Configuration,
    sources: Sequence[Source],
    edit: Edit,
    findings: Sequence[Finding],
) -> Iterable[Span]:
    """Every place with the old name; none may have the new one, or one that counts for it."""
    old, new = tuple(edit.name.split(".")), tuple(edit.new_name.split("."))
    _refuse_rivals(configuration, sources, old, new)
    for source in sources:
        if len(old) > 1 and old[-1] != new[-1]:
            source.refuse_other_mentions(old[-1], is_class=False)
        elif len(old) > 1:
            source.refuse_other_mentions(old[-2], is_class=True)
    nodes = [(source, node) for source in sources for node in source.settings(old)]
    for finding in findings:
        if not any(_is_at(finding, source, node) for source, node in nodes):
            raise Unclear("is not written out where it is set")
    for source, node in nodes:
        base: ast.expr = node
        for _ in old[-2:]:
            assert isinstance(base, ast.Attribute)
            base = base.value
        yield replacement(source, node, base, ".".join(new[-2:]))


def _refuse_rivals(
    configuration: Configuration, sources: Sequence[Source], old: Chain, new: Chain
) -> None:
    """Raise `Unclear` where the new name, for this class or a relative, is there already."""
    for source in sources:
        for node in source.nodes:
            chain = source.chain(node) if isinstance(node, ast.Attribute) else None
            if chain and chain != old and _rival(configuration, chain, new):
                raise Unclear(f"would meet c.{'.'.join(chain)}, at {source.at(node)}")


def _rival(configuration: Configuration, chain: Chain, new: Chain) -> bool:
    """Whether both are one setting, of a class and of one that it descends from."""
    if len(chain) < 2 or chain[-1] != new[-1]:
        return False
    one, other = (configuration.classes.get(name) for name in (chain[-2], new[-2]))
    related = one and other and (one.name in other.ancestors or other.name in one.ancestors)
    return chain[-2] == new[-2] or bool(related)


def _is_at(finding: Finding, source: Source, node: ast.AST) -> bool:
    statement = source.statement(node)
    return source.file == finding.file and (
        statement.lineno <= finding.line <= (statement.end_lineno or 0)
    )


def _valued(
    configuration: Configuration,
    sources: Sequence[Source],
    edit: Edit,
    findings: Sequence[Finding],
) -> Iterable[Span]:
    """The values that were found wrong; the setting may be assigned, and nothing else."""
    for source, assignment in _assignments(sources, edit):
        if any(_is_at(finding, source, assignment) for finding in findings):
            yield value_span(source, assignment.value, edit.to)


def _removed(
    configuration: Configuration,
    sources: Sequence[Source],
    edit: Edit,
    findings: Sequence[Finding],
) -> Iterable[Span]:
    for source, assignment in _assignments(sources, edit):
        yield removal(source, assignment)


def _assignments(sources: Sequence[Source], edit: Edit) -> list[tuple[Source, ast.Assign]]:
    """Every ``c.A.b = value``; raises `Unclear` where the setting is used in another way."""
    found = []
    for source in sources:
        for node in source.settings(tuple(edit.name.split("."))):
            parent = source.parents[node]
            if not isinstance(parent, ast.Assign) or parent.targets != [node]:
                raise Unclear(f"is used in another way, too, at {source.at(node)}")
            found.append((source, parent))
    if not found:
        raise Unclear("is not written out where it is set")
    return found
