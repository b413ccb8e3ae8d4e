"""The kinds of value a parameter may have, as trait types: what is accepted, and how it is told."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from traitlets import Enum, Int, List, TraitError, Unicode

from runbook.stages.account_names import PLAIN, why_no_name


class Unfit(TraitError):  # type: ignore[misc]
    """A value of the right type that is no good: the message says why, and of which part."""


class FilePath(Unicode):  # type: ignore[misc]
    """An absolute path; ``~`` is the home of who runs the runbook."""

    info_text = "an absolute path"
    may_be_empty = False

    def validate(self, obj: Any, value: Any) -> str:
        given = super().validate(obj, value)
        if not given and not self.may_be_empty:
            self.error(obj, value)
        try:
            text = str(Path(given).expanduser()) if given else ""
        except RuntimeError:  # the home of an account that is not there
            text = given
        # It stands in units, scripts and the sudo rule: nothing there that any of them reads.
        if text and not re.fullmatch(r"/[\w@+./~-]*", text):
            self.error(obj, value)
        return text


class OptionalPath(FilePath):
    """Empty means none."""

    may_be_empty = True


class UrlPath(Unicode):  # type: ignore[misc]
    """A path on the hub's own address: a browser is sent there."""

    info_text = "a path on this hub, for example /lab"

    def validate(self, obj: Any, value: Any) -> str:
        text = str(super().validate(obj, value))
        # Of //host and /\\host a browser makes another address.
        if not re.fullmatch(r"/(?![/\\])[!-~]*", text) or "\\" in text:
            self.error(obj, value)
        return text


class ServerFolder(Unicode):  # type: ignore[misc]
    """Where a single-user server starts; a shell reads it in double quotes."""

    info_text = "a folder, for example ~/notebooks, without quotes, $, backquote and backslash"

    def validate(self, obj: Any, value: Any) -> str:
        text = str(super().validate(obj, value))
        if re.search(r"[\"$`\\\x00-\x1f]", text):
            self.error(obj, value)
        if re.match(r"~[^/]", text):
            raise Unfit(f"{text!r} begins with the home of somebody else: ~/ is each person's own")
        if re.search(r"[{}]", text.replace("{username}", "")):
            raise Unfit(f"{text!r}: in braces stands nothing but {{username}}")
        return text


class IpAddress(Unicode):  # type: ignore[misc]
    info_text = "an IP address"

    def validate(self, obj: Any, value: Any) -> str:
        try:
            return str(ipaddress.ip_address(super().validate(obj, value)))
        except ValueError:
            if value == "*":
                raise Unfit("* is no address: 0.0.0.0 stands for all of this machine") from None
            self.error(obj, value)
            raise


class Port(Int):  # type: ignore[misc]
    info_text = "a port number from 1 to 65535"

    def validate(self, obj: Any, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
            self.error(obj, value)
        return int(value)


class WholeNumber(Int):  # type: ignore[misc]
    least, most = 0, 2**31

    def validate(self, obj: Any, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            self.error(obj, value)
        if not self.least <= value <= self.most:
            self.error(obj, value)
        return int(value)


class Seconds(WholeNumber):
    info_text = "a number of seconds, 0 or more"


class Limit(WholeNumber):
    info_text = "a number, or 0 for no limit"


class Days(WholeNumber):
    """A cookie of 0 days would let nobody in; browsers keep none longer than 400."""

    least, most = 1, 400
    info_text = "a number of days from 1 to 400"


class Version(Unicode):  # type: ignore[misc]
    info_text = 'a version in quotes, for example "6.1.1" or "6.*"'

    def validate(self, obj: Any, value: Any) -> str:
        text = str(super().validate(obj, value))
        try:
            SpecifierSet(f"=={text}" if text else "")
        except InvalidSpecifier:
            self.error(obj, value)
        return text


class Choice(Enum):  # type: ignore[misc]
    """One of a few words; YAML reads a bare ``off`` as false, which is taken as the word."""

    def validate(self, obj: Any, value: Any) -> str:
        return str(super().validate(obj, "off" if value is False else value))

    def info(self, as_rst: bool = False) -> str:
        return "one of " + ", ".join(self.values)


class QuotedMode(Choice):
    """A mode of files as a text; YAML reads a bare 0700 as 448, which is taken as what it is."""

    def validate(self, obj: Any, value: Any) -> str:
        octal = isinstance(value, int) and not isinstance(value, bool)
        return super().validate(obj, f"{value:04o}" if octal else value)

    def info(self, as_rst: bool = False) -> str:
        return "one of " + ", ".join(f'"{value}"' for value in self.values)


class AccountName(Unicode):  # type: ignore[misc]
    """Of what the runbook makes for the hub; people may be called otherwise: `PeoplesNames`."""

    info_text = "the name of an account (lower-case letters, digits, _ and -; 32 at the most)"

    def validate(self, obj: Any, value: Any) -> str:
        if not isinstance(value, str) or not PLAIN.match(value):
            self.error(obj, value)
        return str(value)


class PeoplesNames(List):  # type: ignore[misc]
    """Names of people's accounts; of the unfit ones every one is told, and why."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Unicode(), **kwargs)

    def validate(self, obj: Any, value: Any) -> list[str]:
        names: list[str] = super().validate(obj, value)
        told = [
            f"name {number}, {name!r}, is no account name: {why}"
            for number, name in enumerate(names, start=1)
            if (why := why_no_name(name))
        ]
        if told:
            raise Unfit("; ".join(told))
        return names

    def info(self) -> str:
        return "a list of account names, for example [alice, first.last]"


class Texts(List):  # type: ignore[misc]
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Unicode(), **kwargs)

    def info(self) -> str:
        return "a list of texts, for example [first, second]"


class Requirements(Texts):
    """Requirements as pip knows them; a wrong one is found before anything is installed."""

    def validate(self, obj: Any, value: Any) -> list[str]:
        texts: list[str] = super().validate(obj, value)
        try:
            return [str(Requirement(text)) for text in texts]
        except InvalidRequirement:
            self.error(obj, value)
            raise

    def info(self) -> str:
        return "a list of PyPI requirements, for example [numpy, 'pandas>=2']"
