"""Where the text of a configuration speaks of its settings, whatever of it is executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from traitlets.config import Config

Chain = tuple[str, ...]  # c.Authenticator.whitelist is ("Authenticator", "whitelist")

# c.update, c.Spawner.get: what a section can do, and no setting.
METHODS = frozenset(dir(Config))
# With these a text reaches its own names in ways that its tree does not show.
HIDDEN = frozenset(("exec", "eval", "globals", "locals", "vars", "compile"))


class Unclear(Exception):
    """Why nobody can tell from the text where it speaks of a setting, or change it there."""

    def __str__(self) -> str:
        return f"it {self.args[0]}"


class Source:
    """The syntax tree of one file of a configuration.

    Raises `Unclear` where the file is no Python, or gives ``c`` another meaning.
    """

    def __init__(self, file: Path, text: bytes) -> None:
        self.file, self.text = file, text
        try:
            self.tree = ast.parse(text.decode())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise Unclear(f"is in {file.name}, which is no Python in UTF-8") from None
        self.nodes = list(ast.walk(self.tree))
        self.parents = {each: node for node in self.nodes for each in ast.iter_child_nodes(node)}
        self._refuse_other_meanings()

    def at(self, node: ast.AST) -> str:
        return f"line {getattr(node, 'lineno', 1)} of {self.file.name}"

    def chain(self, node: ast.AST) -> Chain | None:
        """The names behind ``c``: () of ``c`` itself, None of what does not begin with it."""
        if isinstance(node, ast.Attribute):
            before = self.chain(node.value)
            return None if before is None else (*before, node.attr)
        return () if self._is_root(node) else None

    def settings(self, chain: Chain) -> list[ast.Attribute]:
        """Each place that names the setting ``chain``, in the order of the file."""
        found = [n for n in self.nodes if isinstance(n, ast.Attribute) and self.chain(n) == chain]
        return sorted(found, key=lambda node: (node.lineno, node.col_offset))

    def statement(self, node: ast.AST) -> ast.stmt:
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def refuse_hidden_ways(self, chain: Chain) -> None:
        """Raise `Unclear` where ``chain`` may be meant by what does not spell it out."""
        for node in self._roots():
            outermost, names = self._outermost(node)
            methods = [n for n, name in enumerate(names) if name in METHODS]
            handed_on = names[: methods[0]] if methods else names
            holds_it = handed_on == chain[: len(handed_on)] and len(handed_on) < len(chain)
            if holds_it and not self._is_alias(outermost):
                what = ".".join(("c", *handed_on))
                raise Unclear(f"may be reached by {what}, at {self.at(outermost)}")

    def refuse_other_mentions(self, word: str, is_class: bool) -> None:
        """Raise `Unclear` where ``word`` stands for something else than part of ``c.A.b``."""
        for node in self.nodes:
            if _names(node, word, is_class) or (
                isinstance(node, ast.Attribute) and node.attr == word and self.chain(node) is None
            ):
                raise Unclear(f"is spoken of in another way, too, at {self.at(node)}")

    @cached_property
    def loads(self) -> list[ast.Call]:
        """The calls that execute another file as part of this one."""
        calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        return [*(call for call in calls if _calls(call, "load_subconfig")), *self._loaders]

    @cached_property
    def _loaders(self) -> list[ast.Call]:
        return [n for n in self.nodes if isinstance(n, ast.Call) and self._is_loader(n)]

    def _is_loader(self, call: ast.Call) -> bool:
        """``exec(compile(TEXT, FILE, "exec"), {"c": c, ...})``: there, too, ``c`` is ``c``."""
        match call:
            case ast.Call(
                ast.Name("exec"),
                [
                    ast.Call(ast.Name("compile"), [_, _, ast.Constant("exec")], []),
                    ast.Dict() as names,
                ],
                [],
            ):
                given = zip(names.keys, names.values, strict=True)
                return all(
                    isinstance(key, ast.Constant) and (key.value == "c") is self._is_root(value)
                    for key, value in given
                )
        return False

    @cached_property
    def _of_loaders(self) -> set[ast.AST]:
        """The nodes that stand in such a call in their places."""
        found: set[ast.AST] = set()
        for call in self._loaders:
            compiled, names = call.args
            assert isinstance(compiled, ast.Call)
            assert isinstance(names, ast.Dict)
            found |= {call.func, compiled.func, *names.values}
        return found

    @cached_property
    def _aliases(self) -> frozenset[str]:
        """``c``, and every name that the text gives it."""
        names = {"c"}
        targets = [target for node in self.nodes for target in _single_target(node)]
        for _ in targets:  # each may be by the name of another
            for target, value in targets:
                if _is_config(value, names):
                    names.add(target)
        return frozenset(names)

    def _is_root(self, node: ast.AST) -> bool:
        return _is_config(node, self._aliases)

    def _roots(self) -> Iterator[ast.AST]:
        for node in self.nodes:
            if self._is_root(node) and not self._is_target(node) and node not in self._of_loaders:
                yield node

    def _is_target(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)

    def _outermost(self, node: ast.AST) -> tuple[ast.AST, Chain]:
        names: Chain = ()
        while isinstance(parent := self.parents[node], ast.Attribute):
            node, names = parent, (*names, parent.attr)
        return node, names

    def _is_alias(self, node: ast.AST) -> bool:
        return any(value is node for _, value in _single_target(self.parents[node])) and (
            self._is_root(node)
        )

    def _refuse_other_meanings(self) -> None:
        named = self._aliases | {"get_config", "load_subconfig"}
        for node in self.nodes:
            if isinstance(node, ast.Name) and node.id in HIDDEN and node not in self._of_loaders:
                raise Unclear(f"may be reached by {node.id}(), at {self.at(node)}")
            given = _given_names(node)
            if isinstance(node, ast.Name) and self._is_target(node):
                given = [] if self._stays_config(node) else [node.id]
            if named & set(given) or "*" in given:
                raise Unclear(f"cannot be told from something else called c, at {self.at(node)}")

    def _stays_config(self, node: ast.Name) -> bool:
        return any(self._is_root(value) for _, value in _single_target(self.parents[node]))


def _calls(call: ast.Call, name: str) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == name


def _is_config(node: ast.AST, names: set[str] | frozenset[str]) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "get_config" and not node.args and not node.keywords
    return isinstance(node, ast.Name) and node.id in names


def _single_target(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """``x = value``, as name and value."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return []
    target = node.targets[0]
    return [(target.id, node.value)] if isinstance(target, ast.Name) else []


def _given_names(node: ast.AST) -> list[str]:
    """The names that a definition, an import, a parameter or the like gives to something."""
    if isinstance(node, ast.alias):
        return [node.asname or node.name.partition(".")[0]]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler):
        return [node.name or ""]
    if isinstance(node, ast.MatchAs | ast.MatchStar):
        return [node.name or ""]
    return []


def _names(node: ast.AST, word: str, is_class: bool) -> bool:
    """Whether a text, a keyword, or for a class any name at all is ``word``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.search(rf"\b{re.escape(word)}\b", node.value) is not None
    if isinstance(node, ast.keyword):
        return node.arg == word
    if isinstance(node, ast.alias):
        return word in (*node.name.split("."), node.asname)
    named = (node.id,) if isinstance(node, ast.Name) else _given_names(node)
    return is_class and word in named
