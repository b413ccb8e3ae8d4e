"""Every stage's notebook has the same sections, the stage's parameters, and no logic.

The rules are the tests themselves. The last ones break a copy of a notebook and see a rule fail.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
import yaml
from nbformat import NotebookNode

from runbook import params, released
from runbook.stages import STAGES, Doctor, Stage, Undo, known_parameters, validate

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SERVER, LAPTOP = ROOT / "params/server.yaml", ROOT / "params/laptop.yaml"
INDEX = NOTEBOOKS / "index.ipynb"

TAGS = ["parameters", "setup", "check", "plan", "apply", "verify", "record"]
HEADINGS = [*(tag.capitalize() for tag in TAGS), "Operator's note"]
CODE = {
    "setup": "from runbook.stages import {0}\n\nstage = {0}.from_namespace(globals())\nstage",
    "check": "stage.check()",
    "plan": "plan = stage.plan()\nplan",
    "apply": "plan.apply()",
    "verify": "stage.verify()",
    "record": "stage.record()",
}
SIMPLE_TYPES = {"str", "int", "bool", "list", "dict"}
# What a line of the parameters cell must look like for papermill to read it.
PARAMETER = re.compile(r"(?P<name>\w+): (?P<type>\w+) = (?P<value>[^=#]+?) +# (?P<comment>[^=]+)")
REGISTRIES = re.compile(r"pypi|pythonhosted|npmjs|npmmirror|anaconda\.org|deb\.debian|/simple\b")

Rule = Callable[[NotebookNode, type[Stage]], None]


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def cells(notebook: NotebookNode, kind: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def prose(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in cells(notebook, "markdown"))


def headings(notebook: NotebookNode, level: int) -> list[str]:
    text = re.sub(r"```.*?```", "", prose(notebook), flags=re.DOTALL)
    return re.findall(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)


def tagged(notebook: NotebookNode, tag: str) -> NotebookNode:
    (found,) = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]
    return found


def parameter_lines(notebook: NotebookNode) -> list[str]:
    lines = tagged(notebook, "parameters").source.splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def parameters(notebook: NotebookNode) -> dict[str, Any]:
    """Name and value of each assignment of the parameters cell."""
    statements = ast.parse(tagged(notebook, "parameters").source).body
    found = {}
    for statement in statements:
        assert isinstance(statement, ast.AnnAssign)
        assert isinstance(statement.target, ast.Name)
        assert statement.value is not None
        found[statement.target.id] = ast.literal_eval(statement.value)
    return found


EVERY: tuple[type[Stage], ...] = (*STAGES, Undo, Doctor)
# The spoilers below know parameters that every stage of an installation has.
INSTALLING = pytest.mark.parametrize("stage", STAGES, indirect=True, ids=lambda s: s.name)


@pytest.fixture(params=EVERY, ids=lambda stage: stage.name)
def stage(request: pytest.FixtureRequest) -> type[Stage]:
    found: type[Stage] = request.param
    return found


@pytest.fixture
def notebook(stage: type[Stage]) -> NotebookNode:
    return read(NOTEBOOKS / f"{stage.name}.ipynb")


# The notebooks.


def test_it_is_a_valid_notebook_for_the_python3_kernel(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"


def test_its_title_names_the_stage(notebook: NotebookNode, stage: type[Stage]) -> None:
    (title,) = headings(notebook, 1)
    assert title.split()[0] == stage.name.split("-")[0]


def test_its_title_cell_says_what_changes_how_long_and_the_way_back(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    for words in ("**What changes", "**How long it takes", "**To take it back"):
        assert words in notebook.cells[0].source


def test_its_sections_stand_in_order(notebook: NotebookNode, stage: type[Stage]) -> None:
    assert headings(notebook, 2) == HEADINGS


def test_its_code_cells_are_tagged_in_order(notebook: NotebookNode, stage: type[Stage]) -> None:
    assert [cell.metadata.get("tags") for cell in cells(notebook, "code")] == [[t] for t in TAGS]


def test_each_code_cell_has_its_own_heading_and_prose_before_it(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        if cell.cell_type == "code":
            heading, _, text = before.source.partition("\n")
            assert heading == f"## {cell.metadata.tags[0].capitalize()}"
            assert text.strip(), f"nothing is said before the {cell.metadata.tags[0]} cell"


def test_its_code_is_one_library_call_a_cell_and_nothing_else(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    for tag, code in CODE.items():
        assert tagged(notebook, tag).source == code.format(stage.__name__)


def test_it_ends_with_an_empty_cell_for_the_operator(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    last = notebook.cells[-1]
    assert (last.cell_type, last.source) == ("markdown", "")


def test_no_other_cell_is_empty(notebook: NotebookNode, stage: type[Stage]) -> None:
    assert all(cell.source.strip() for cell in notebook.cells[:-1])


def test_it_holds_no_outputs(notebook: NotebookNode, stage: type[Stage]) -> None:
    for cell in cells(notebook, "code"):
        assert cell.outputs == []
        assert cell.execution_count is None


def test_its_cell_ids_can_be_read(notebook: NotebookNode, stage: type[Stage]) -> None:
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cell.id)
    assert [cell.id for cell in cells(notebook, "code")] == TAGS


def test_its_parameters_are_those_of_the_stage_with_the_same_defaults(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    wanted = {name: trait.default() for name, trait in stage.parameters().items()}
    assert parameters(notebook) == wanted


def test_its_parameters_stand_in_the_order_of_server_yaml_and_dry_run_is_last(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    own = [name for name in stage.parameters() if name != "dry_run"]
    order = dict.fromkeys([*yaml.safe_load(SERVER.read_text()), *own, "dry_run"])
    assert list(parameters(notebook)) == [name for name in order if name in stage.parameters()]


def test_each_parameter_is_a_commented_simply_typed_line_of_at_most_100_characters(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    for line in parameter_lines(notebook):
        match = PARAMETER.fullmatch(line)
        assert match, line
        assert match["type"] in SIMPLE_TYPES
        assert type(ast.literal_eval(match["value"])).__name__ == match["type"]
        assert len(line) <= 100


def test_a_parameter_means_the_same_in_every_notebook(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    for other in STAGES:
        theirs = _help(read(NOTEBOOKS / f"{other.name}.ipynb"))
        ours = _help(notebook)
        assert {n: ours[n] for n in ours if n in theirs} == {
            n: theirs[n] for n in theirs if n in ours
        }


def _help(notebook: NotebookNode) -> dict[str, str]:
    matches = [PARAMETER.fullmatch(line) for line in parameter_lines(notebook)]
    return {match["name"]: match["comment"] for match in matches if match}


def test_papermill_lists_every_parameter_with_its_type_default_and_help(
    notebook: NotebookNode, stage: type[Stage], tmp_path: Path
) -> None:
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook, path)
    found = papermill.inspect_notebook(str(path))
    assert list(found) == list(parameters(notebook))
    for name, seen in found.items():
        default = stage.parameters()[name].default()
        assert ast.literal_eval(seen["default"]) == default
        assert seen["inferred_type_name"] == type(default).__name__
        assert seen["help"]


def test_its_stage_takes_the_parameters_cell_as_it_stands(
    notebook: NotebookNode, stage: type[Stage]
) -> None:
    made = stage.from_namespace(parameters(notebook))
    assert {name: getattr(made, name) for name in stage.parameters()} == parameters(notebook)


def test_its_prose_names_no_package_registry(notebook: NotebookNode, stage: type[Stage]) -> None:
    links = re.findall(r"https?://[^\s)>\"]+", prose(notebook))
    assert [link for link in links if REGISTRIES.search(link)] == []


def test_its_links_to_files_lead_somewhere(notebook: NotebookNode, stage: type[Stage]) -> None:
    assert broken_links(notebook) == []


def broken_links(notebook: NotebookNode) -> list[str]:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", prose(notebook))
    return [target for target in targets if not (NOTEBOOKS / target).exists()]


def test_it_is_written_as_nbformat_writes_it(stage: type[Stage], tmp_path: Path) -> None:
    path = NOTEBOOKS / f"{stage.name}.ipynb"
    nbformat.write(read(path), tmp_path / "again.ipynb")
    assert path.read_text() == (tmp_path / "again.ipynb").read_text()


def test_it_is_the_released_one(notebook: NotebookNode, stage: type[Stage]) -> None:
    again = "changed on purpose? then .venv/bin/python -m runbook.released"
    assert released.edited(stage.name, notebook) == [], again


# The folder and the index.


def test_the_notebooks_are_the_stages_in_order_and_the_index() -> None:
    files = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    assert files == [*(stage.name for stage in EVERY), "index"]


def test_the_index_links_every_notebook_in_order() -> None:
    rows = re.findall(r"^\| \[[\w-]+\]\(([\w-]+)\.ipynb\)", prose(read(INDEX)), re.MULTILINE)
    assert rows == [stage.name for stage in EVERY]


def test_the_index_is_prose_alone_and_its_links_lead_somewhere() -> None:
    index = read(INDEX)
    nbformat.validate(index)
    assert cells(index, "code") == []
    assert broken_links(index) == []
    assert not REGISTRIES.search(prose(index))


# The parameter files.


def test_server_yaml_holds_every_parameter_but_dry_run_with_its_default() -> None:
    wanted = {name: trait.default() for name, trait in known_parameters().items()}
    del wanted["dry_run"]
    assert yaml.safe_load(SERVER.read_text()) == wanted


@pytest.mark.parametrize("file", [SERVER, LAPTOP], ids=lambda file: file.name)
def test_a_parameter_file_is_accepted_by_every_stage(file: Path) -> None:
    validate(params.load(file))


def test_laptop_yaml_holds_only_what_differs_from_server_yaml() -> None:
    server, laptop = yaml.safe_load(SERVER.read_text()), yaml.safe_load(LAPTOP.read_text())
    assert laptop.pop("extends") == "server.yaml"
    kept = {"notebook_dir"}  # said again, since everything of a laptop's hub is in the home
    assert {name for name, value in laptop.items() if server[name] == value} <= kept


def test_laptop_yaml_puts_everything_below_the_home() -> None:
    values = {name: value.value for name, value in params.load(LAPTOP).items()}
    for name in ("prefix", "config_dir", "state_dir", "notebook_dir"):
        assert values[name].startswith("~/")


# The rules can fail.


def without_a_section(notebook: NotebookNode) -> None:
    notebook.cells = [cell for cell in notebook.cells if cell.id not in ("check-text", "check")]


def with_two_sections_swapped(notebook: NotebookNode) -> None:
    notebook.cells[5:7], notebook.cells[7:9] = notebook.cells[7:9], notebook.cells[5:7]


def without_a_tag(notebook: NotebookNode) -> None:
    del tagged(notebook, "plan").metadata["tags"]


def with_a_shell_line(notebook: NotebookNode) -> None:
    tagged(notebook, "check").source = "!systemctl status jupyterhub\nstage.check()"


def with_logic(notebook: NotebookNode) -> None:
    tagged(notebook, "apply").source = "if plan:\n    plan.apply()"


def with_an_output(notebook: NotebookNode) -> None:
    tagged(notebook, "check").outputs = [nbformat.v4.new_output("stream", text="ok")]


def with_another_default(notebook: NotebookNode) -> None:
    _replace(notebook, "dry_run: bool = False", "dry_run: bool = True")


def without_a_parameter(notebook: NotebookNode) -> None:
    cell = tagged(notebook, "parameters")
    cell.source = re.sub(r"^hub_user.*\n", "", cell.source, flags=re.MULTILINE)


def with_dry_run_first(notebook: NotebookNode) -> None:
    cell = tagged(notebook, "parameters")
    *others, last = cell.source.split("\n\n")
    cell.source = "\n\n".join([last, *others])


def without_a_comment(notebook: NotebookNode) -> None:
    _replace(notebook, "  # the account the hub runs as", "")


def with_another_comment(notebook: NotebookNode) -> None:
    _replace(notebook, "# the account the hub runs as", "# whoever")


def with_a_type_papermill_cannot_read(notebook: NotebookNode) -> None:
    _replace(notebook, "hub_user: str = ", "hub_user: None | str = ")


def with_an_equals_sign_in_a_comment(notebook: NotebookNode) -> None:
    _replace(notebook, "# the account the hub runs as", "# such as hub_user = hub")


def with_a_text_in_the_last_cell(notebook: NotebookNode) -> None:
    notebook.cells[-1].source = "Done on Monday."


def with_a_random_cell_id(notebook: NotebookNode) -> None:
    tagged(notebook, "setup").id = "4f0c9a1e"


def with_a_link_to_a_registry(notebook: NotebookNode) -> None:
    notebook.cells[0].source += "\n\n[here](https://pypi.example/simple/jupyterhub)"


def with_a_link_to_nowhere(notebook: NotebookNode) -> None:
    notebook.cells[0].source += "\n\n[here](35-missing.ipynb)"


def without_the_way_back(notebook: NotebookNode) -> None:
    notebook.cells[0].source = notebook.cells[0].source.replace("To take it back", "")


def _replace(notebook: NotebookNode, old: str, new: str) -> None:
    cell = tagged(notebook, "parameters")
    cell.source = re.sub(rf" *{re.escape(old)}" if not new else re.escape(old), new, cell.source)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (without_a_section, test_its_sections_stand_in_order),
        (with_two_sections_swapped, test_its_sections_stand_in_order),
        (with_two_sections_swapped, test_its_code_cells_are_tagged_in_order),
        (without_a_tag, test_its_code_cells_are_tagged_in_order),
        (with_a_shell_line, test_its_code_is_one_library_call_a_cell_and_nothing_else),
        (with_logic, test_its_code_is_one_library_call_a_cell_and_nothing_else),
        (with_an_output, test_it_holds_no_outputs),
        (with_another_default, test_its_parameters_are_those_of_the_stage_with_the_same_defaults),
        (without_a_parameter, test_its_parameters_are_those_of_the_stage_with_the_same_defaults),
        (
            with_dry_run_first,
            test_its_parameters_stand_in_the_order_of_server_yaml_and_dry_run_is_last,
        ),
        (
            without_a_comment,
            test_each_parameter_is_a_commented_simply_typed_line_of_at_most_100_characters,
        ),
        (
            with_a_type_papermill_cannot_read,
            test_each_parameter_is_a_commented_simply_typed_line_of_at_most_100_characters,
        ),
        (
            with_an_equals_sign_in_a_comment,
            test_each_parameter_is_a_commented_simply_typed_line_of_at_most_100_characters,
        ),
        (with_another_comment, test_a_parameter_means_the_same_in_every_notebook),
        (with_a_text_in_the_last_cell, test_it_ends_with_an_empty_cell_for_the_operator),
        (with_a_random_cell_id, test_its_cell_ids_can_be_read),
        (with_a_link_to_a_registry, test_its_prose_names_no_package_registry),
        (with_a_link_to_nowhere, test_its_links_to_files_lead_somewhere),
        (
            without_the_way_back,
            test_its_title_cell_says_what_changes_how_long_and_the_way_back,
        ),
    ],
    ids=lambda function: function.__name__.removeprefix("test_"),
)
@INSTALLING
def test_a_rule_sees_a_notebook(
    spoil: Callable[[NotebookNode], None],
    rule: Rule,
    notebook: NotebookNode,
    stage: type[Stage],
) -> None:
    spoiled = copy.deepcopy(notebook)
    spoil(spoiled)
    rule(notebook, stage)
    with pytest.raises(AssertionError):
        rule(spoiled, stage)


@pytest.mark.parametrize(
    "spoil", [with_a_type_papermill_cannot_read, with_an_equals_sign_in_a_comment]
)
@INSTALLING
def test_the_inspection_by_papermill_sees_a_line_it_cannot_read(
    spoil: Callable[[NotebookNode], None],
    notebook: NotebookNode,
    stage: type[Stage],
    tmp_path: Path,
) -> None:
    spoil(notebook)
    with pytest.raises(AssertionError):
        test_papermill_lists_every_parameter_with_its_type_default_and_help(
            notebook, stage, tmp_path
        )
