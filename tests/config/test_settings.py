"""mamd.yaml: what is taken, what is refused and how that is said, and that secrets are seen nowhere."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from mamd.config import Read, Secret, Settings, find_config, read_settings
from mamd.config.settings import CommandCall, HostPort, PortSettings, WebhookCall
from mamd.core.governor import Limits
from mamd.core.rules import Mode
from mamd.core.storm import StormLimits
from tests.canary import MARKER

MARK = MARKER.decode()
ROOT = Path(__file__).resolve().parents[2]
LEAST = "launchpad: {name: ward-3}\n"
WHOLE = """
mode: approve
launchpad:
  name: ward-3
  labels: [floor-3]
  timezone: Europe/Berlin
  usbmuxd: UNIX:/run/mux
  sysfs: sys
  usb: {python: "some.module:backend"}
  pairing: supervised-only
  supervision_identity: {certificate: org.crt, key: {file: secret}}
  ports: {2-1.1: "1", 2-1.8: {label: "8", use: charge_only}}
state: state
rules: [rules]
workflows: rules
devices: devices.csv
mdm:
  - name: hospital
    kind: nanomdm
    url: https://mdm.example.org/
    api_key: {file: secret}
    webhook_hmac_key: {env: HOOK}
    clear_passcode_when_not_pairing: true
  - {name: school, kind: nanomdm, url: "http://127.0.0.1:9000", api_key: {credential: key}}
vault: {key: {credential: key}}
recovery: {mode: observe}
governor:
  erases: {at_once: 2, per_hour: 3, per_day: 4}
  clears: {per_device_per_hour: 1}
  storm: {share: 40 %, at_least: 4, within: 5 min}
people: {on_duty: [{webhook: {file: secret}}, {command: [tool, -v]}], again_after: 10 min}
http:
  listen: "[::1]:8780"
  socket: mamd.sock
  webhooks: 0.0.0.0:8781
  tokens: [{name: desk, role: view, token: {file: secret}}]
"""

ReadText = Callable[..., Read]


@pytest.fixture
def read(tmp_path: Path) -> ReadText:
    """Writes a mamd.yaml beside the files that it may name, and reads it."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "key").write_text(f"{MARK}-key\n")
    (tmp_path / "devices.csv").write_text("serial\n")
    (tmp_path / "org.crt").write_text("a certificate")
    secret = tmp_path / "secret"
    secret.write_text(f"{MARK}-file\r\n")
    secret.chmod(0o600)

    def read(text: str, **environ: str) -> Read:
        (tmp_path / "mamd.yaml").write_text(text)
        there = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"), "HOOK": f"{MARK}-env"}
        return read_settings(tmp_path / "mamd.yaml", there | environ)

    return read


def _settings(read: Read) -> Settings:
    assert read.settings is not None, [str(mistake) for mistake in read.mistakes]
    return read.settings


def _said(read: Read) -> str:
    assert read.settings is None
    return "\n".join(
        str(mistake).replace(str(Path(mistake.file).parent) + "/", "") for mistake in read.mistakes
    )


def test_everything_that_the_page_names_can_be_written(read: ReadText, tmp_path: Path) -> None:
    """Every key is taken, with paths beside the file and secrets from where they lie."""
    settings = _settings(read(WHOLE))
    pad = settings.launchpad
    assert (pad.name, pad.labels, pad.timezone.key) == ("ward-3", ("floor-3",), "Europe/Berlin")
    assert (pad.usbmuxd, pad.sysfs, pad.usb) == ("UNIX:/run/mux", tmp_path / "sys", "some.module:backend")
    assert pad.ports == (PortSettings("2-1.1", "1"), PortSettings("2-1.8", "8", is_charge_only=True))
    assert pad.is_supervised_only
    assert pad.supervision_identity is not None
    assert pad.supervision_identity.certificate == b"a certificate"
    assert (settings.mode, settings.recovery_mode) == (Mode.APPROVE, Mode.OBSERVE)
    assert settings.rules == settings.workflows == (tmp_path / "rules",)
    assert (settings.state, settings.devices) == (tmp_path / "state", tmp_path / "devices.csv")
    hospital, school = settings.mdms
    assert (hospital.url, school.url) == ("https://mdm.example.org", "http://127.0.0.1:9000")
    assert hospital.api_key == Secret(f"{MARK}-file".encode())
    assert hospital.webhook_hmac_key == Secret(f"{MARK}-env".encode())
    assert school.api_key == settings.vault_key == Secret(f"{MARK}-key".encode())
    assert settings.switched_mdms == ("hospital",)
    assert settings.limits == Limits(1, 2, 3, 4)
    assert settings.storm == StormLimits(share=0.4, at_least=4, within_s=300.0)
    assert settings.people.again_after_s == 600.0
    assert settings.people.on_duty[0] == WebhookCall(Secret(f"{MARK}-file".encode()))
    assert settings.people.on_duty[1] == CommandCall(("tool", "-v"))
    assert (settings.http.listen, settings.http.webhooks) == (
        HostPort("::1", 8780),
        HostPort("0.0.0.0", 8781),
    )
    assert [(token.name, token.role) for token in settings.http.tokens] == [("desk", "view")]


def test_what_is_not_written_has_the_default_of_the_page(read: ReadText) -> None:
    """A file with a name in it is enough to begin, and says what will not happen."""
    found = read(LEAST)
    settings = _settings(found)
    assert settings == Settings(settings.file, settings.launchpad)
    assert settings.launchpad.usbmuxd == "/var/run/usbmuxd"
    assert str(settings.http.listen) == "127.0.0.1:8780"
    assert settings.http.webhooks is None
    assert "no device will ever be helped" in str(found.warnings)


def test_the_example_is_right() -> None:
    """Whoever copies the example has only their own names and secrets to put in."""
    text = (ROOT / "systemd" / "mamd.yaml.example").read_bytes()
    read = read_settings(ROOT / "systemd" / "mamd.yaml.example", {})
    what = {mistake.what.split(",")[0].split(" /")[0] for mistake in read.mistakes}
    # The folders and credentials that a site has are not there.
    assert what == {"there are no credentials here", "there is no"}
    assert b"\t" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "launchpad: {name: ward-3, lables: [a]}\n",
            "1:27: 'lables' is not known here; did you mean 'labels'?",
        ),
        ("mode: auto\n", "'launchpad' is missing; write 'launchpad: {name: ward-3}'"),
        (LEAST + "mode: no\n", "2:7: 'no' is yes or no to some readers"),
        (LEAST + "mode: auto\nmode: off\n", "3:1: 'mode' stands here twice (first on line 2)"),
        (
            LEAST + "recovery: {mode: auto}\n",
            "write 'mode: observe': this version decides erases and does not do",
        ),
        (LEAST + "recovery: {executor: idevicerestore}\n", "'executor' is not in this version yet"),
        (LEAST + "custody: {}\n", "'custody' is not in this version yet"),
        (LEAST + "passcode_policies: []\n", "'passcode_policies' is not in this version yet"),
        (LEAST + "mdm: [{name: a, kind: jamf, client_id: b}]\n", "this version speaks nanomdm only"),
        (LEAST + "mdm: [{name: a, kind: nanomdn}]\n", "did you mean 'nanomdm'?"),
        (LEAST + "rules: [nowhere]\n", "2:9: there is no nowhere"),
        (LEAST + f"rules: [{'a' * 300}]\n", "2:9: there is no"),
        (LEAST + "governor: {storm: {within: 10}}\n", "'10' has no unit; write 10s, 10 min or 10 h"),
        (LEAST + "governor: {clears: {per_device_per_hour: 3}}\n", "write a whole number from 0 to 2"),
        (LEAST + "http: {listen: 8780}\n", "'8780' is a number, and text belongs here"),
        (
            LEAST + "http: {listen: 127.0.0.1:80, webhooks: 127.0.0.1:80}\n",
            "'webhooks' and 'listen' are the same",
        ),
        (LEAST + "http: {tokens: [{name: a, role: boss, token: {env: HOOK}}]}\n", "view, operate, approve"),
        (LEAST + "people: {on_duty: [{mail: a}]}\n", "'mail' is not known here"),
        (LEAST + "people: {again_after: 5s}\n", "people are called more than once a minute"),
        ("launchpad: {name: a, ports: {1: '1'}}\n", "'1' is no port"),
        (
            "launchpad: {name: a, ports: {1-1: 8}}\n",
            "'8' is a number, and text belongs here; put it in quotes",
        ),
        ("launchpad: {name: a, ports: {1-1: '8', 1-2: '8'}}\n", "two ports have the label '8'"),
        ("launchpad: {name: a, timezone: Berlin}\n", "there is no time zone 'Berlin'"),
        ("launchpad: {name: a, timezone: ../etc}\n", "there is no time zone '../etc'"),
        ("launchpad: {name: a, usbmuxd: run/mux}\n", "is no address of usbmuxd"),
        ("launchpad: {name: a, pairing: supervised_only}\n", "without an identity"),
        ("- a list\n", "a mapping belongs here"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_cure(read: ReadText, text: str, said: str) -> None:
    """Each mistake in mamd.yaml is one line that says what would be right."""
    assert said in _said(read(text))


def test_every_mistake_is_told_at_once(read: ReadText) -> None:
    """Nobody mends a file one line a restart."""
    text = "mode: of\nlaunchpad: {name: 3}\nrules: [nowhere]\nrecovery: {mode: auto}\nhtpp: {}\n"
    assert len(read(text).mistakes) == 5


def test_what_usbmuxds_own_programs_are_told_wins(read: ReadText) -> None:
    """USBMUXD_SOCKET_ADDRESS is taken before the file, and a wrong one is a mistake like any other."""
    assert (
        _settings(read(LEAST, USBMUXD_SOCKET_ADDRESS="127.0.0.1:27015")).launchpad.usbmuxd
        == "127.0.0.1:27015"
    )
    assert "$USBMUXD_SOCKET_ADDRESS:1:1:" in _said(read(LEAST, USBMUXD_SOCKET_ADDRESS="nowhere"))


# ---------------------------------------------------------------------------------------------- secrets


def test_a_secret_is_shown_by_nothing_that_holds_it(read: ReadText) -> None:
    """Settings can be logged, printed and shown in a traceback; no secret is in them."""
    settings = _settings(read(WHOLE))
    assert MARK not in repr(settings)
    assert MARK not in str(settings.mdms[0].api_key)
    with pytest.raises(TypeError):
        pickle.dumps(settings.mdms[0].api_key)
    with pytest.raises(TypeError):
        hash(settings.mdms[0].api_key)


@pytest.mark.parametrize(
    "written",
    [
        f"{MARK}",
        f"[{MARK}]",
        f"{{{MARK}: a}}",
        f"{{env: [{MARK}]}}",
        f"{{file: {{{MARK}: a}}}}",
        f"!!str {MARK}",
        f"'{MARK}",
        f"{{env: HOOK, file: {MARK}}}",
    ],
)
def test_a_secret_that_stands_in_the_file_is_refused_and_not_repeated(read: ReadText, written: str) -> None:
    """Who pastes a secret where its place belongs is told so, without the secret."""
    said = _said(read(LEAST + f"vault: {{key: {written}}}\n"))
    assert "mamd.yaml:2:" in said or "mamd.yaml:3:" in said
    assert MARK not in said


def test_a_password_in_an_address_is_not_repeated(read: ReadText) -> None:
    """An address is refused for what it holds, without what it holds."""
    text = f"mdm: [{{name: a, kind: nanomdm, url: 'https://u:{MARK}@h', api_key: {{env: HOOK}}}}]\n"
    said = _said(read(LEAST + text))
    assert "this address holds a name or a password" in said
    assert MARK not in said


def test_a_secret_that_others_may_read_is_refused(read: ReadText, tmp_path: Path) -> None:
    """A key in a file that everybody on the host can read is no secret."""
    (tmp_path / "secret").chmod(0o640)
    said = _said(read(LEAST + "vault: {key: {file: secret}}\n"))
    assert "others may read" in said
    assert "chmod 600 secret" in said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{file: gone}", "cannot be read (No such file or directory)"),
        ("{file: rules}", "is not a file"),
        ("{env: NOT_SET}", "the environment has no 'NOT_SET'"),
        ("{env: EMPTY}", "the secret is empty"),
        ("{credential: ../secret}", "'../secret' is no name of a credential"),
        ("{credential: gone}", "cannot be read"),
    ],
)
def test_a_secret_that_is_not_there_is_a_mistake_with_a_cure(read: ReadText, written: str, said: str) -> None:
    """What is missing is named, and where it was looked for."""
    assert said in _said(read(LEAST + f"vault: {{key: {written}}}\n", EMPTY="\n"))


def test_without_systemds_credentials_the_cure_says_how_to_get_them(read: ReadText) -> None:
    """Outside systemd there are no credentials, and the line says what to do instead."""
    said = _said(read(LEAST + "vault: {key: {credential: key}}\n", CREDENTIALS_DIRECTORY=""))
    assert "LoadCredential=key:PATH, or write {file: PATH}" in said


# ------------------------------------------------------------------------------------------ which file


def test_the_file_is_found_in_the_order_of_the_page(tmp_path: Path) -> None:
    """-c before MAMD_CONFIG before ./mamd.yaml; one that was named is taken whether it is there or not."""
    named = {"MAMD_CONFIG": "other.yaml"}
    assert find_config(Path("mine.yaml"), named, tmp_path) == tmp_path / "mine.yaml"
    assert find_config(None, named, tmp_path) == tmp_path / "other.yaml"
    (tmp_path / "mamd.yaml").touch()
    assert find_config(None, {}, tmp_path) == tmp_path / "mamd.yaml"
    assert "there is no such file" in _said(read_settings(tmp_path / "other.yaml", {}))


def test_harm_that_is_allowed_is_warned_of(read: ReadText) -> None:
    """No storm watch, a key in clear, a door without a lock: taken, and said."""
    text = LEAST + (
        "governor: {storm: none}\nhttp: {listen: 0.0.0.0:8780}\n"
        "mdm: [{name: a, kind: nanomdm, url: 'http://mdm.example.org', api_key: {env: HOOK}}]\n"
    )
    found = read(text)
    said = "\n".join(str(warning) for warning in found.warnings)
    assert not _settings(found).storm.is_on
    for part in (
        "'storm: none'",
        "nobody has a token",
        "sent in clear",
        "no UnlockToken comes",
        "nobody is on duty",
    ):
        assert part in said
