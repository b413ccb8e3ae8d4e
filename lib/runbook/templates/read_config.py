"""Read a jupyterhub_config.py as JupyterHub does, and print what it sets as one JSON document.

    python -c START CONFIG SECONDS < read_config.py

Runs under the hub's own Python, as the hub's account: the standard library, traitlets and
jupyterhub only. Nothing is started and nothing is written. What the configuration prints goes
nowhere, so that standard output holds the document and nothing else.
"""

import functools
import inspect
import json
import os
import re
import signal
import sys
import sysconfig

_document_fd = os.dup(1)  # not inherited by what the configuration may start
_exit = os._exit
_pid = os.getpid()
sys.dont_write_bytecode = True

# Half of the time of importing JupyterHub goes into the grammar of this optional part of jsonschema.
sys.modules["rfc3987_syntax"] = None

from jupyterhub import __version__, roles, scopes
from jupyterhub.app import JupyterHub
from jupyterhub import traitlets as hub_traitlets
from jupyterhub.services.service import Service
from jupyterhub.traitlets import EntryPointType
from traitlets import TraitError, Undefined
from traitlets.config import Config, Configurable
from traitlets.config.loader import (
    JSONFileConfigLoader,
    LazyConfigValue,
    PyFileConfigLoader,
)

del sys.modules["rfc3987_syntax"]

if hasattr(hub_traitlets, "entry_points"):  # which looks at every package that is installed
    hub_traitlets.entry_points = functools.lru_cache(hub_traitlets.entry_points)

LONGEST_SHOWN = 200
DEEPEST = 20
ROLES = {
    "authenticator": "authenticator_class",
    "spawner": "spawner_class",
    "proxy": "proxy_class",
}
SECRET = re.compile("token|secret|password|key", re.IGNORECASE)
LIBRARIES = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)

# What stands in for the file of a path: a correction is read before it is written.
instead = << instead | py >>
executed = {}  # path -> the text that was executed
subconfigs = []  # file and line of each call that executed another file as part of this one
assignments = []
quiet = 0  # above 0: what happens is traitlets' own doing, or has been noted already


class Late(BaseException):
    """The time is up; no `except Exception` of a configuration catches it."""


class Ended(BaseException):
    """The configuration wanted to end the process."""


# --- values ---------------------------------------------------------------------------------------


def shown(value):
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}, whose repr fails: {type(error).__name__}>"
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def plain(value, depth=0):
    """JSON of a value: sets are sorted lists, paths are texts; None where there is none."""
    if value is None or isinstance(value, (bool, str)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else None
    if isinstance(value, float):
        return float(value) if value == value and abs(value) != float("inf") else None
    if isinstance(value, os.PathLike):
        return os.fspath(value) if isinstance(os.fspath(value), str) else None
    if depth > DEEPEST:
        return shown(value)
    if isinstance(value, dict):
        return {
            k if isinstance(k, str) else shown(k): inner(v, depth) for k, v in value.items()
        }
    if isinstance(value, (set, frozenset)):
        return sorted((inner(v, depth) for v in value), key=lambda v: (str(type(v)), str(v)))
    if isinstance(value, (list, tuple)):
        return [inner(v, depth) for v in value]
    return None


def inner(value, depth):
    """An element; one that JSON does not know is told by its repr."""
    made = plain(value, depth + 1)
    return shown(value) if made is None and value is not None else made


def safely(function, *words, otherwise=None):
    try:
        return function(*words)
    except Exception:
        return otherwise


# --- what is noted while the configuration is executed ---------------------------------------------


def is_library(filename):
    return filename.startswith(LIBRARIES) or not os.path.isfile(filename)


def place():
    """File and line of the configuration that is being executed."""
    frame = inspect.currentframe()
    while frame:
        if not is_library(frame.f_code.co_filename):
            return os.path.abspath(frame.f_code.co_filename), frame.f_lineno
        frame = frame.f_back
    return None


def note(section, trait, value, how="=", where=None):
    where = where or place()
    if quiet or where is None:
        return
    changed_in_place()
    assignments.append(
        {
            "section": section,
            "trait": trait,
            "value": safely(plain, value),
            "shown": shown(value),
            "type": type(value).__name__,
            "file": where[0],
            "line": where[1],
            "how": how,
            "problem": "",
        }
    )


looked_at = {}  # (section, trait) -> the container, as it was, and who got hold of it where


def look(section, trait, value):
    """Somebody got hold of a container, and may change it without our hearing of it."""
    changed_in_place()
    where = place()
    if where and not quiet:
        looked_at[section, trait] = (value, shown_whole(value), where)


def changed_in_place():
    for key, (value, before, where) in list(looked_at.items()):
        if shown_whole(value) != before:
            del looked_at[key]
            note(*key, value, "changed", where)


def shown_whole(value):
    return safely(lambda: json.dumps(plain(value), sort_keys=True), otherwise="")


class NotedLazy(LazyConfigValue):
    """`c.Class.trait` before anything was assigned: append, update and so on are noted."""

    def __setattr__(self, name, value):
        if name.startswith("_") or self.has_trait(name):
            return super().__setattr__(name, value)
        # c.spawner.cmd = ...: a class in lower case; the hub never looks at it.
        note(".".join(filter(None, self._key)), name, value)
        return object.__setattr__(self, name, value)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"{'.'.join(self._key)} has no value yet, and so no {name}")


def noted(how):
    original = getattr(LazyConfigValue, how)

    def change(self, *words):
        global quiet
        value = words[-1] if words else None
        if how in ("append", "insert"):
            value = [value]
        elif how == "add":
            value = {value}
        note(*self._key, value, how)
        quiet += 1
        try:
            return original(self, *words)
        finally:
            quiet -= 1

    return change


for _how in ("append", "extend", "prepend", "insert", "update", "add"):
    setattr(NotedLazy, _how, noted(_how))


class Noted(Config):
    """The `c` of a configuration, and each class in it."""

    def _path(self):
        return self.__dict__.get("__path")

    def _place_at(self, path):
        self.__dict__["__path"] = path
        return self

    def _section(self, key):
        return f"{self._path()}.{key}" if self._path() else key

    def __getitem__(self, key):
        if self._path() is None or key in self or key.startswith("_"):
            value = super().__getitem__(key)
        elif key[0].upper() == key[0]:
            value = Noted()._place_at(self._section(key))
            dict.__setitem__(self, key, value)
        else:
            value = NotedLazy()
            object.__setattr__(value, "_key", (self._path(), key))
            dict.__setitem__(self, key, value)
        if self._path() is not None and isinstance(value, (dict, list, set)):
            if not isinstance(value, Config):
                look(self._path(), key, value)
        return value

    def __setitem__(self, key, value):
        if self._path() is not None and key and key[0].upper() == key[0] and key[0] != "_":
            if isinstance(value, Config):
                own = Noted()._place_at(self._section(key))
                for name, each in value.items():
                    own[name] = each
                value = own
        elif self._path() is not None:
            note(self._path(), key, value)
            looked_at.pop((self._path(), key), None)
        super().__setitem__(key, value)

    def update(self, *words, **more):
        for key, value in dict(*words, **more).items():
            self[key] = value

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
        return self[key]


# Under these names an error of the configuration speaks of them.
NotedLazy.__name__, Noted.__name__ = LazyConfigValue.__name__, Config.__name__


def content(path):
    with open(path, "rb") as file:
        return file.read()


class Loader(PyFileConfigLoader):
    """The hub's loader with a `c` that notes."""

    def clear(self):
        self.config = Noted()._place_at("")

    def _read_file_as_dict(self):
        path = os.path.abspath(self.full_filename)
        text = executed[path] = instead[path] if path in instead else content(path)
        names = {
            "c": self.config,
            "get_config": lambda: self.config,
            "load_subconfig": self.load_subconfig,
            "compile": noting_compile,
            "__file__": self.full_filename,
        }
        exec(compile(text, self.full_filename, "exec"), names, names)

    def load_subconfig(self, fname, path=None):
        global quiet
        subconfigs.append(place())
        loader = type(self)(fname, path if path is not None else self.path)
        try:
            config = loader.load_config()
        except FileNotFoundError:
            return
        except Exception as error:
            if type(error).__name__ != "ConfigFileNotFound":
                raise
            return
        merge(self.config, config)


def noting_compile(source, filename, mode="exec", *more, **options):
    """What a configuration executes of another file, word for word, is a part of it."""
    path = os.path.abspath(os.fspath(filename))
    if os.path.isfile(path) and source in (content(path), read_text(path)):
        source = executed[path] = instead[path] if path in instead else content(path)
        subconfigs.append(place())
    return compile(source, filename, mode, *more, **options)


def read_text(path):
    with open(path) as file:
        return file.read()


def merge(into, config):
    global quiet
    quiet += 1
    try:
        into.merge(config)
    finally:
        quiet -= 1


def load_json(path):
    config = JSONFileConfigLoader(path).load_config()
    lines = open(path, encoding="utf-8", errors="replace").read().splitlines()
    for section, traits in config.items():
        for trait, value in traits.items() if isinstance(traits, dict) else ():
            note(section, trait, value, where=(path, line_of(lines, section, trait)))
    return config


def line_of(lines, section, trait):
    """The line of a JSON file where a trait of a section stands; 1 where that is not seen."""
    text, start = "\n".join(lines), 0
    for name in (section, trait):
        found = re.compile(rf"{re.escape(json.dumps(name))}\s*:").search(text, start)
        if not found:
            return 1
        start = found.start()
    return text.count("\n", 0, start) + 1


def load(path):
    """The configuration of ``path``, and of the JSON file beside it, which the hub reads too."""
    if path.endswith(".json"):
        return load_json(path)
    config = Loader(path).load_config()
    beside = os.path.splitext(path)[0] + ".json"
    if path.endswith(".py") and os.path.isfile(beside):
        merge(config, load_json(beside))
    return config


# --- why it does not load ---------------------------------------------------------------------------


def broken(error, path):
    """The deepest line of a file of the configuration, and what was said."""
    file, line = path, error.lineno if isinstance(error, json.JSONDecodeError) else 1
    trace = error.__traceback__
    while trace:
        filename = trace.tb_frame.f_code.co_filename
        if not is_library(filename):
            file, line = os.path.abspath(filename), trace.tb_lineno
        trace = trace.tb_next
    said = safely(str, error, otherwise="")
    if isinstance(error, SyntaxError):
        said = error.msg
        if error.filename and not is_library(error.filename):
            file, line = os.path.abspath(error.filename), error.lineno or 1
    name = "" if isinstance(error, (Late, Ended)) else type(error).__name__
    if isinstance(error, SystemExit):
        name, said = "", f"it ends the hub: sys.exit({error.code!r})"
    return {"file": file, "line": max(line, 1), "message": f"{name}: {said}".strip(": ")}


def stop_late(seconds):
    def late(*_):
        raise Late(f"it did not end within {seconds:g} s")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def ended(status=0):
    raise Ended(f"it ends the hub: os._exit({status!r})")


# --- the classes ------------------------------------------------------------------------------------


def configurables(base=Configurable):
    for cls in base.__subclasses__():
        yield cls
        yield from configurables(cls)


def lineage(cls):
    """The class and those of its ancestors that can be configured, the nearest first."""
    return [
        base for base in cls.__mro__ if issubclass(base, Configurable) and base is not Configurable
    ]


def class_facts(cls):
    traits = {
        name: trait_facts(cls, name, trait)
        for name, trait in cls.class_own_traits(config=True).items()
    }
    return {
        "module": cls.__module__,
        "ancestors": [base.__name__ for base in lineage(cls)[1:]],
        "traits": traits,
        "methods": sorted(
            name for name, value in vars(cls).items()
            if inspect.isfunction(value) or (name.startswith("allow") and value is True)
        ),
        "deprecated_aliases": {
            old: list(new) if isinstance(new, (tuple, list)) else [new]
            for old, new in vars(cls).get("_deprecated_aliases", {}).items()
        },
    }


def trait_facts(cls, name, trait):
    value = default(cls, name, trait)
    return {
        "type": safely(trait.info, otherwise=type(trait).__name__),
        "kind": type(trait).__name__,
        "help": str(safely(getattr, trait, "help") or ""),
        "default": safely(plain, value),
        "default_shown": shown(value),
        "allows": name.startswith("allow") or bool(trait.metadata.get("allow_config")),
    }


def default(cls, name, trait):
    """The default; a computed one of JupyterHub's own classes and allow rules, never a secret."""
    static = trait.default_value if trait.default_value is not Undefined else None
    known = cls.__module__.startswith("jupyterhub.") or name.startswith("allow")
    if not known or SECRET.search(name):
        return static
    return safely(lambda: sample(cls).trait_defaults(name), otherwise=static)


def blank(cls):
    """An instance with its traits, of which no __init__ has run."""
    return cls.__new__(cls)


sample = functools.lru_cache(blank)  # where nothing is set on it


def resolved(hub, config):
    """Role -> class, by the hub's own traits, or the problem of it."""
    found, problems = {}, {}
    for role, trait in ROLES.items():
        value = config.get("JupyterHub", {}).get(trait, Undefined)
        try:
            if value is not Undefined:
                found[role] = hub.traits()[trait]._validate(hub, value)
            else:
                found[role] = getattr(hub, trait)
        except Exception as error:
            problems["JupyterHub", trait] = why_not(error)
            found[role] = value
    return found, problems


def why_not(error):
    """Of an import that failed, its own reason; else what the trait expected."""
    cause = error.__cause__ or error.__context__
    if isinstance(error, TraitError) and isinstance(cause, Exception):
        error = cause
    if isinstance(error, TraitError):
        return expected(error)
    return f"cannot be imported: {type(error).__name__}: {safely(str, error)}"


def expected(error):
    usual = re.search(r"\b(expected .*), not ", str(error), re.DOTALL)
    return usual[1] if usual else str(error)


def name_of(cls):
    return cls.__name__ if isinstance(cls, type) else str(cls).rpartition(".")[2]


def known_classes(used):
    """By name; of two of one name, that in use."""
    found = {cls.__name__: cls for cls in configurables()}
    for cls in used.values():
        if isinstance(cls, type):
            found.update((base.__name__, base) for base in lineage(cls))
    return found


# --- what the hub would use -------------------------------------------------------------------------


def final(config, classes):
    """Section -> trait -> the value in the end, with what was appended laid over the default."""
    return {
        path: {trait: settled(config, classes, path, trait, value) for trait, value in traits}
        for path, traits in sections(config)
    }


def sections(config, path=""):
    own = [(k, v) for k, v in dict.items(config) if not isinstance(v, Config)]
    if own and path:
        yield path, own
    for key, value in dict.items(config):
        if isinstance(value, Config):
            yield from sections(value, f"{path}.{key}" if path else key)


def settled(config, classes, path, trait, value):
    if not isinstance(value, LazyConfigValue):
        return value
    cls = classes.get(path.rpartition(".")[2])
    return safely(value.get_value, initial(config, cls, trait, value))


def initial(config, cls, trait, lazy):
    for base in cls.__mro__[1:] if cls else ():
        given = config.get(base.__name__, {}).get(trait)
        if given is not None and not isinstance(given, LazyConfigValue):
            return given
    if cls and trait in cls.class_traits():
        return safely(lambda: blank(cls).trait_defaults(trait))
    update = lazy._update
    return [] if update is None else type(update)()


def refusals(values, classes, used):
    """(section, trait) -> what the trait itself says against the value."""
    found = {}
    for path, traits in values.items():
        cls = classes.get(path.rpartition(".")[2])
        for user in used.values():
            if cls and isinstance(user, type) and issubclass(user, cls):
                cls = user
        for trait, value in traits.items() if cls else ():
            said = refusal(cls, trait, value)
            if said:
                found[path, trait] = said
    return found


def refusal(cls, name, value):
    trait = cls.class_traits(config=True).get(name)
    if trait is None or isinstance(trait, EntryPointType):
        return ""
    try:
        trait._validate(blank(cls), value)
    except TraitError as error:
        return expected(error)
    except Exception:
        return ""
    return ""


def vocabulary():
    """The words that a service, a role and a scope may have."""
    return {
        "scopes": sorted(scopes.scope_definitions),
        "roles": {role["name"]: role.get("scopes", []) for role in roles.get_default_roles()},
        "service_fields": sorted(Service.class_traits(input=True)),
    }


# --- the document -----------------------------------------------------------------------------------


def read(path, seconds):
    """The document about the configuration at ``path``."""
    hub = JupyterHub()
    config, wrong = Noted()._place_at(""), None
    stop_late(seconds)
    os._exit = ended
    try:
        config = load(path)
        changed_in_place()
        used, problems = resolved(hub, config)
    except BaseException as error:
        wrong = broken(error, path)
        used, problems = resolved(hub, Config())
    finally:
        os._exit = _exit
        signal.setitimer(signal.ITIMER_REAL, 0)
    classes = known_classes(used)
    values = final(config, classes)
    problems.update(refusals(values, classes, used))
    for each in reversed(assignments):
        each["problem"] = problems.pop((each["section"], each["trait"]), "")
    return {
        "version": __version__,
        "assignments": assignments,
        "broken": wrong,
        "classes": {name: class_facts(cls) for name, cls in sorted(classes.items())},
        "in_use": {role: name_of(cls) for role, cls in used.items()},
        "vocabulary": vocabulary(),
        "texts": {path: text.decode("latin-1") for path, text in executed.items()},
        "subconfigs": subconfigs,
        "values": {
            path: {trait: safely(plain, value) for trait, value in traits.items()}
            for path, traits in values.items()
        },
    }


def main():
    path, seconds = os.path.abspath(sys.argv[1]), float(sys.argv[2])
    nowhere = os.open(os.devnull, os.O_RDWR)
    errors = os.dup(2)
    for fd in (0, 1, 2):  # and so nothing that the configuration starts keeps our pipes open
        os.dup2(nowhere, fd)
    try:
        document = json.dumps(read(path, seconds))
    except BaseException:
        os.dup2(errors, 2)
        raise
    if os.getpid() != _pid:
        _exit(0)  # the configuration has forked
    with open(_document_fd, "w", encoding="utf-8", errors="surrogatepass") as out:
        out.write(document)
    _exit(0)  # a thread that the configuration started may never end


main()
