"""The documents say what the code does: each file in them loads, each command, name and link exists."""

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from mamd.cli.app import app
from mamd.config import read_settings
from mamd.core.commands import Reason
from mamd.core.facts import Cause
from mamd.core.governor import Block
from mamd.observe.metrics import Metrics
from mamd.rulebook.load import load_all
from mamd.sim.scenario import load as load_scenario
from tests.desk import ward

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")], key=lambda page: page.name
)
EXAMPLE = ROOT / "systemd" / "mamd.yaml.example"
NAMED_AS_MISSING = frozenset({"doctor", "plan"})
"""Commands that the documents name only to say that they are not built."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def _fenced(page: Path) -> Iterator[tuple[str, str]]:
    """The language and the text of each block between ``` lines."""
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
        yield found[1], found[2]


def _prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def _spans(page: Path) -> list[str]:
    """Every word of code in a sentence."""
    return re.findall(r"`([^`\n]+)`", _prose(page))


# ------------------------------------------------------------------------------------- files in documents


def _site(folder: Path) -> dict[str, str]:
    """A folder with everything that the documents' configurations name; the environment that goes with it."""
    for name in ("rules", "workflows", "sim", "credentials"):
        (folder / name).mkdir()
    (folder / "devices.csv").write_text("serial\n")
    (folder / "sim" / "devices.csv").write_text("serial\n")
    (folder / "sim" / "organisation.crt").write_text("a certificate\n")
    for name in ("sim/organisation.key", "api-key", "hook-key"):
        (folder / name).write_text("a secret\n")
        (folder / name).chmod(0o600)
    for name in ("nanomdm-key", "nanomdm-hook", "teams", "vault-key", "desk-token"):
        (folder / "credentials" / name).write_text("a secret\n")
    return {"CREDENTIALS_DIRECTORY": str(folder / "credentials")}


def _mistakes_in(text: str) -> list[str]:
    """What the daemon would say of a configuration that stands in a site's folder."""
    with tempfile.TemporaryDirectory() as name:
        environ = _site(Path(name))
        file = Path(name) / "mamd.yaml"
        file.write_text(text)
        return [str(one) for one in read_settings(file, environ).mistakes]


def test_the_example_of_mamd_yaml_loads() -> None:
    """Whoever copies it, with their folders and secrets in place, has a configuration that starts."""
    assert _mistakes_in(EXAMPLE.read_text()) == []


def test_what_is_commented_out_in_the_example_loads_too() -> None:
    """Whoever takes a '#' away gets what the line promises, not a mistake."""
    text = EXAMPLE.read_text()
    unpaired = text.replace("  # usb: ", "  #- usb: ").replace("  # supervision", "  #- supervision")
    opened = re.sub(r"^(\s*)# (?=[\w-]+:|- |  )", r"\1", unpaired, flags=re.MULTILINE)
    opened = re.sub(r"^  (?=(?:erases|clears|storm): )", "  ", opened, flags=re.MULTILINE)
    assert opened != text
    assert _mistakes_in(opened) == []


@each_page
def test_every_yaml_in_a_page_loads(page: Path, tmp_path: Path) -> None:
    """Whoever copies a configuration, a rule, a workflow or a story out of a page can use it."""
    rulebook: list[Path] = []
    for number, (language, text) in enumerate(_fenced(page)):
        if language != "yaml":
            continue
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        read = yaml.safe_load(text)
        if "phones" in read:
            load_scenario(str(file))
        elif "launchpad" in read:
            assert _mistakes_in(text) == []
        else:
            rulebook.append(file)
    assert [str(one) for one in load_all(rulebook).mistakes] == []


# -------------------------------------------------------------------------------------- commands and links


_COMMAND_LINE = re.compile(r"(?:^|(?<!-u)\s)mamd (?=[a-z-])(.*)")


def _commands(page: Path) -> list[list[str]]:
    """The words after `mamd` of every command line that a page shows; what follows a # is a remark."""
    shown = [line for language, text in _fenced(page) if not language for line in text.splitlines()]
    lines = [line.partition("#")[0] for line in (*shown, *_spans(page))]
    return [found[1].split() for line in lines if (found := _COMMAND_LINE.search(line))]


def _command(words: list[str]) -> Any:
    """The command that these words call; None if there is none."""
    found: Any = typer.main.get_command(app)
    for word in (one for one in words if not one.startswith("--version")):
        commands = getattr(found, "commands", None)
        if commands is None:
            break
        found = commands.get(word)
    return found


@each_page
def test_every_command_in_a_page_exists(page: Path) -> None:
    """Nobody is sent to a command, or an option of one, that is not there."""
    for words in _commands(page):
        if words[0] in NAMED_AS_MISSING:
            assert _command(words) is None, f"mamd {words[0]} is built: say so"
            continue
        command = _command(words)
        assert command is not None, words
        known = {name for parameter in command.params for name in parameter.opts} | {"--help", "--json"}
        assert {word for word in words if re.fullmatch(r"--?[a-z-]+", word)} <= known, words


def _slug(heading: str) -> str:
    """As the renderer names a heading (github.com): small letters, signs dropped, blanks to dashes."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@each_page
def test_every_link_in_a_page_leads_somewhere(page: Path) -> None:
    """Files and headings that a page points to are there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if target.startswith("http"):
            continue
        name, _, heading = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert heading in map(_slug, headings), target


@each_page
def test_every_file_of_ours_that_a_page_names_is_there(page: Path) -> None:
    """Units, rules and modules are called by names that they have."""
    for path in re.findall(r"`((?:systemd|mamd|rules|workflows|docs)/[\w./-]+)`", page.read_text()):
        assert (ROOT / path).exists(), path


# ------------------------------------------------------------------------------- names in docs/operate.md

OPERATE = ROOT / "docs" / "operate.md"


def _section(heading: str) -> str:
    """The text of one section of docs/operate.md."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", OPERATE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def _rows(heading: str) -> set[str]:
    """What stands as code in the first cells of a section's table."""
    cells = re.findall(r"^\| (`.*?`) \|", _section(heading), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    """The code of the daemon; not that of the simulator, nor the words for what it says."""
    for path in sorted((ROOT / "mamd").rglob("*.py")):
        if path.relative_to(ROOT / "mamd").parts[0] not in ("sim", "words", "recovery"):
            yield path, ast.parse(path.read_text())


def _calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield path, node


def test_every_fault_is_explained() -> None:
    """Whatever /readyz can name has a row with its cure, and no row speaks of a fault that cannot be."""
    names: set[str] = set()
    for path, call in _calls("Fault"):
        first = call.args[0]
        if isinstance(first, ast.Constant):
            names.add(first.value)
        else:  # the name is chosen elsewhere in the same file
            names |= set(re.findall(r'"((?:usbmuxd|mdm)_[a-z_]+)"', path.read_text()))
    assert names == _rows("Faults of the host")


def test_every_line_of_the_log_is_explained() -> None:
    """Each kind of line that the daemon writes is in the table, and no other."""
    written: set[str] = set()
    for _, tree in _trees():
        for node in ast.walk(tree):
            is_log = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_log and isinstance(node.func.value, ast.Name) and node.func.value.id in ("log", "_log"):
                texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
                written |= {text for text in texts if re.fullmatch(r"\w+\.\w+", str(text))}
    assert written == _rows("The log")


def test_every_figure_is_explained() -> None:
    """The table has the metrics that /metrics shows, and no other."""
    shown = Metrics().text(ward()).decode()
    told = {name.partition("{")[0] for name in _rows("Metrics")}
    assert told == set(re.findall(r"^# TYPE (\w+)", shown, re.MULTILINE))


def test_every_cause_is_explained() -> None:
    """Each way of not pairing has a row."""
    assert _rows("Why a device does not pair") == {cause.value for cause in Cause}


@pytest.mark.parametrize(
    ("kind", "heading"), [(Reason, "Why people are called"), (Block, "Why nothing is done")]
)
def test_every_reason_that_can_come_up_is_explained(kind: type[Reason] | type[Block], heading: str) -> None:
    """Each reason that the code can give has a row with what to do; none is promised that it cannot give."""
    given = {
        node.attr
        for _, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == kind.__name__
    }
    assert _rows(heading) == {member.value for member in kind if member.name in given}
