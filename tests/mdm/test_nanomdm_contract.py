"""What NanoMDM does, said once and asked of the simulated and of the real one."""

import asyncio
import json
import plistlib
import re
from typing import Any

import pytest

from mamd.sim.mdm_apns import PushFault
from mamd.sim.mdm_commands import Result
from mamd.sim.mdm_device import REPORT_TYPE, Done, MdmDevice, Refused
from mamd.sim.mdm_identity import push_certificate
from mamd.sim.mdm_queue import Storage
from mamd.sim.mdm_server import TOPIC
from tests.canary import MARKER
from tests.mdm.nanomdm_server import basic_auth
from tests.mdm.phones import locked_phone
from tests.mdm.sites import Site, clear_passcode, command

APNS_ID = re.compile(r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}")


# ---------------------------------------------------------------------------------------- the API


async def test_a_command_is_queued_and_pushed(site: Site) -> None:
    """A queued command that was pushed is answered 200, in the very form that Go's encoder gives it."""
    phone = locked_phone()
    await site.mdm.enrol(phone)
    uuid, body = clear_passcode(phone)
    answer = await site.enqueue(phone.udid, body)
    pushed = answer.json["status"][phone.udid]["push_result"]
    assert APNS_ID.fullmatch(pushed)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == (
        f'{{\n\t"status": {{\n\t\t"{phone.udid}": {{\n\t\t\t"push_result": "{pushed}"\n\t\t}}\n\t}},\n'
        f'\t"command_uuid": "{uuid}",\n\t"request_type": "ClearPasscode"\n}}\n'
    )


async def test_a_command_without_push_waits_for_the_next_poll(site: Site) -> None:
    """`nopush` queues without a push, and says so instead of a status."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    uuid, body = clear_passcode(phone)
    answer = await site.enqueue(phone.udid, body, "?nopush=0")
    assert answer.status == 200
    assert answer.text == (
        f'{{\n\t"no_push": true,\n\t"command_uuid": "{uuid}",\n\t"request_type": "ClearPasscode"\n}}\n'
    )
    assert site.apns.pushes == 0
    assert await device.contact() == [Done("ClearPasscode", uuid, "Acknowledged")]


@pytest.mark.parametrize("fault", [fault for fault in PushFault if fault is not PushFault.NO_NETWORK])
async def test_a_push_that_fails_leaves_the_command_queued(site: Site, fault: PushFault) -> None:
    """500 and an error of the push, with Apple's id beside it; and the command is queued all the same."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    site.apns.fault = fault
    uuid, body = clear_passcode(phone)
    answer = await site.enqueue(phone.udid, body)
    assert answer.status == 500
    assert answer.json["command_uuid"] == uuid
    assert "command_error" not in answer.json
    about = answer.json["status"][phone.udid]
    assert APNS_ID.fullmatch(about["push_result"])
    assert re.sub(r"\d{13}", "STAMP", about["push_error"]) == PUSH_ERRORS[fault]
    assert (await device.contact())[0].command_uuid == uuid


PUSH_ERRORS = {
    PushFault.BAD_TOKEN: "push HTTP status: 400: APNs push error: BadDeviceToken",
    PushFault.WRONG_TOPIC: "push HTTP status: 400: APNs push error: DeviceTokenNotForTopic",
    PushFault.BAD_CERTIFICATE: "push HTTP status: 403: APNs push error: BadCertificate",
    PushFault.UNREGISTERED: "push HTTP status: 410: APNs push error: Unregistered: timestamp STAMP",
    PushFault.TOO_MANY: "push HTTP status: 429: APNs push error: TooManyRequests",
    PushFault.BROKEN: "push HTTP status: 500: APNs push error: InternalServerError",
    PushFault.SHUT_DOWN: "push HTTP status: 503: APNs push error: ServiceUnavailable",
    PushFault.HTML: "push HTTP status: 502: decoding JSON push error: invalid character '<' looking for "
    "beginning of value",
}


async def test_a_push_that_reaches_nobody_names_the_push_token(site: Site) -> None:
    """Without a network the error holds the device's push token: it must not be shown raw."""
    phone = locked_phone()
    await site.mdm.enrol(phone)
    site.apns.fault = PushFault.NO_NETWORK
    answer = await site.push(phone.udid)
    about = answer.json["status"][phone.udid]
    assert answer.status == 500
    assert "push_result" not in about
    assert f'Post "https://api.push.apple.com/3/device/{phone.push_token.hex()}": ' in about["push_error"]


async def test_a_push_of_its_own(site: Site) -> None:
    """A push needs no command, any method will do, and unknown devices are told apart."""
    phone = locked_phone()
    await site.mdm.enrol(phone)
    assert (await site.push(phone.udid)).status == 200
    assert (await site.call("PUT", f"/v1/push/{phone.udid}")).status == 200
    mixed = await site.push(f"{phone.udid},NO-SUCH-ID")
    assert mixed.status == 207
    assert mixed.json["status"]["NO-SUCH-ID"] == {"push_error": "push data missing for id"}
    assert (await site.push("NO-SUCH-ID")).status == 500
    nobody = await site.push("")
    assert (nobody.status, nobody.json) == (500, {"push_error": "getting enrollment ids: empty path"})


async def test_an_unknown_device(site: Site) -> None:
    """Files take a command for a device that they never heard of; SQL takes it for none."""
    _, body = command("SecurityInfo")
    answer = await site.enqueue("NO-SUCH-ID", body)
    assert answer.status == 500
    if site.storage is Storage.FILEKV:
        assert answer.json["status"] == {"NO-SUCH-ID": {"push_error": "push data missing for id"}}
        assert "command_error" not in answer.json
    else:
        assert "enrollment_queue_id_fkey" in answer.json["command_error"]
        assert "status" not in answer.json


async def test_a_device_that_only_began_to_enrol(site: Site) -> None:
    """Before its TokenUpdate a device cannot be pushed to, yet its command is queued."""
    phone = locked_phone()
    await site.mdm.device(phone)._check_in("Authenticate", {"SerialNumber": phone.serial})
    uuid, body = command("SecurityInfo")
    answer = await site.enqueue(phone.udid, body)
    assert answer.status == 500
    if site.storage is Storage.FILEKV:
        assert answer.json["status"] == {phone.udid: {"push_error": "push data missing for id"}}
        assert answer.json["command_uuid"] == uuid
    else:
        assert "enrollment_queue_id_fkey" in answer.json["command_error"]


async def test_a_topic_without_a_certificate(site: Site) -> None:
    """Where the push certificate is missing the whole push fails, and the command is queued."""
    phone = locked_phone()
    await site.mdm.enrol(phone)
    other = "com.apple.mgmt.External.00000000-0000-4000-8000-000000000000"
    site.mdm.device(phone)._topic = other
    await site.mdm.device(phone).update_token()
    _, body = command("SecurityInfo")
    answer = await site.enqueue(phone.udid, body)
    assert answer.status == 500
    assert answer.json["push_error"].startswith(f'retrieving push cert for topic "{other}": ')
    assert "status" not in answer.json
    assert "command_error" not in answer.json


async def test_the_same_command_uuid_twice(site: Site) -> None:
    """A UUID that was used before is refused with its own words, and nothing is queued again."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body, "?nopush=1")
    again = await site.enqueue(phone.udid, body, "?nopush=1")
    assert again.status == 500
    assert (
        again.json["command_error"]
        == {
            Storage.FILEKV: f"command already exists: {uuid}",
            Storage.PGSQL: 'pq: duplicate key value violates unique constraint "commands_pkey"',
        }[site.storage]
    )
    assert again.json["command_uuid"] == uuid
    assert len(await device.contact()) == 1


BAD_BODIES: dict[bytes, str] = {
    b"this is not a plist": "decoding command: parse error: plist: ",
    b'{"Command":{"RequestType":"SecurityInfo"},"CommandUUID":"x"}': "decoding command: parse error: plist: ",
    command("ClearPasscode", "x")[1].replace(b"CommandUUID", b"Other"): "decoding command: invalid command",
    command("", "x")[1]: "decoding command: invalid command",
}


@pytest.mark.parametrize("body", BAD_BODIES)
async def test_a_body_that_is_no_command(site: Site, body: bytes) -> None:
    """A body that is no command is refused with 500 as well; only the text tells."""
    answer = await site.enqueue("ANY", body)
    assert answer.status == 500
    assert set(answer.json) == {"command_error"}
    assert answer.json["command_error"].startswith(BAD_BODIES[body])


async def test_a_broken_plist_comes_back_whole(site: Site) -> None:
    """The server echoes what it could not read, an unlock token and all: nobody may log that answer."""
    answer = await site.enqueue("ANY", b"not a plist, but holds " + MARKER)
    assert MARKER.decode() in answer.json["command_error"]


async def test_nothing_to_do(site: Site) -> None:
    """A call without command, push or device is refused."""
    nothing = await site.enqueue("ANY", b"", "?nopush=1")
    assert nothing.status == 500
    assert nothing.text == '{\n\t"no_push": true,\n\t"command_error": "must enqueue or push"\n}\n'
    nobody = await site.enqueue("", command("SecurityInfo")[1])
    assert (nobody.status, nobody.json) == (500, {"command_error": "getting enrollment ids: empty path"})


@pytest.mark.parametrize(
    "auth",
    ["", basic_auth("wrong"), "Bearer x", "Basic YWRtaW46YXBpa2V5MTIz"],
    ids=["none", "key", "bearer", "user"],
)
async def test_a_wrong_key(site: Site, auth: str) -> None:
    """Without the right key every call of the API is 401, in plain text."""
    answer = await site.call("GET", "/v1/push/ANY", auth=auth)
    assert (answer.status, answer.text) == (401, "Unauthorized\n")
    assert answer.headers["www-authenticate"] == 'Basic realm="nanomdm"'
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/devices", "/v1/queue/ANY", "/v1/commands/ANY"])
async def test_what_it_does_not_have(site: Site, path: str) -> None:
    """There is no inventory, no result and no queue to ask for."""
    answer = await site.call("GET", path)
    assert (answer.status, answer.text) == (404, "404 page not found\n")


async def test_its_version_needs_no_key(site: Site) -> None:
    """The version is the one health check, and open to all."""
    answer = await site.call("GET", "/version", auth="")
    assert answer.status == 200
    assert set(answer.json) == {"version"}
    assert (await site.call("GET", "/v1/enqueue")).status == 301


async def test_push_certificates(site: Site) -> None:
    """Any certificate with an MDM topic will do, if its key fits; what is wrong with others is said."""
    good, other = push_certificate(TOPIC), push_certificate(TOPIC)
    assert (await site.call("PUT", "/v1/pushcert", good)).json["topic"] == TOPIC
    certificate, key = good.split(b"-----BEGIN PRIVATE", 1)[0], other.split(b"-----BEGIN PRIVATE", 1)[1]
    wrong = {
        b"": "tls: failed to find any PEM data in certificate input",
        certificate: "tls: failed to find any PEM data in key input",
        certificate + b"-----BEGIN PRIVATE" + key: "tls: private key does not match public key",
        push_certificate("org.example.app"): 'invalid APNs Topic: "org.example.app"',
    }
    for upload, text in wrong.items():
        answer = await site.call("PUT", "/v1/pushcert", upload)
        assert (answer.status, answer.json) == (400, {"error": text})


# ------------------------------------------------------------------------------------ the devices


async def test_the_unlock_token_comes_by_webhook_only(site: Site) -> None:
    """Enrolling gives Authenticate with the serial, then TokenUpdate with the unlock token."""
    phone = locked_phone()
    await site.mdm.enrol(phone)
    authenticate = await site.receiver.wait_for(lambda it: it.topic == "mdm.Authenticate")
    update = await site.receiver.wait_for(lambda it: it.topic == "mdm.TokenUpdate")
    assert authenticate.raw["SerialNumber"] == phone.serial
    assert (update.id, update.tally, update.status) == (phone.udid, 1, None)
    assert update.raw["UnlockToken"] == phone.unlock_token
    assert update.headers["content-type"] == "application/json; charset=utf-8"


async def test_a_later_token_update_may_lack_the_unlock_token(site: Site) -> None:
    """A later TokenUpdate counts on, and says nothing of the unlock token."""
    device = await site.mdm.enrol(locked_phone())
    await device.update_token(with_unlock_token=False)
    later = await site.receiver.wait_for(lambda it: it.tally == 2)
    assert "UnlockToken" not in later.raw


async def test_an_event_is_one_line_of_json_with_sorted_keys(site: Site) -> None:
    """The form of an event is fixed, since its signature covers every byte."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    await device.contact()
    idle = await site.receiver.wait_for(lambda it: it.status == "Idle")
    event = json.loads(idle.body)
    assert idle.body == json.dumps(event, sort_keys=True, separators=(",", ":")).encode()
    assert set(event) == {"acknowledge_event", "created_at", "event_id", "topic"}
    assert set(event["acknowledge_event"]) == {"ids", "raw_payload", "status", "udid"}
    assert event["acknowledge_event"]["ids"] == {"id": phone.udid, "type": "Device"}
    assert re.fullmatch(r"[0-9a-f]{16}", event["event_id"])


async def test_a_locked_phone_is_cleared(site: Site) -> None:
    """The right unlock token takes the passcode off, and the result comes by webhook."""
    phone = locked_phone()
    await site.mdm.enrol(phone)
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body)
    result = await site.receiver.result(uuid)
    assert result.raw == {"UDID": phone.udid, "Status": "Acknowledged", "CommandUUID": uuid}
    assert (phone.passcode_set, phone.locked) == (False, False)


async def test_a_wrong_token_is_an_error_for_good(site: Site) -> None:
    """With a token of an enrolment before, the phone says that it cannot, and the command is over."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    uuid, body = clear_passcode(locked_phone())
    await site.enqueue(phone.udid, body)
    result = await site.receiver.result(uuid, "Error")
    assert result.raw["ErrorChain"][0]["ErrorDomain"] == "MCPasscodeErrorDomain"
    assert result.raw["ErrorChain"][0]["ErrorCode"] == 5013
    assert phone.locked
    assert await device.contact() == []


async def test_a_token_as_text_is_an_error(site: Site) -> None:
    """Base64 in a string is not the token, and the phone stays locked."""
    phone = locked_phone()
    await site.mdm.enrol(phone)
    uuid, body = command("ClearPasscode", UnlockToken=phone.unlock_token.hex())
    await site.enqueue(phone.udid, body)
    await site.receiver.result(uuid, "Error")
    assert phone.locked


async def test_not_now_keeps_the_command(site: Site) -> None:
    """After NotNow a command waits; it is handed out again at the next contact, not in the same breath."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    device.manners.not_now["ClearPasscode"] = 2
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body, "?nopush=1")
    statuses = [[done.status for done in await device.contact()] for _ in range(4)]
    assert statuses == [["NotNow"], ["NotNow"], ["Acknowledged"], []]
    await site.receiver.result(uuid)
    assert sum(event.status == "NotNow" for event in site.receiver.events) == 2


async def test_a_command_behind_a_not_now_hands_it_out_again(site: Site) -> None:
    """The answer to any report but NotNow offers the postponed command once more."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    device.manners.not_now["ClearPasscode"] = 1
    first, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body, "?nopush=1")
    second, body = command("ProfileList")
    await site.enqueue(phone.udid, body, "?nopush=1")
    done = await device.contact()
    assert [(it.command_uuid, it.status) for it in done[:3]] == [
        (first, "NotNow"), (second, "Acknowledged"), (first, "Acknowledged"),
    ]  # fmt: skip


async def test_a_repeated_result_is_a_second_event(site: Site) -> None:
    """A device that says its result twice makes two events with two ids."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    device.manners.repeat_results = 1
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body, "?nopush=1")
    await device.contact()
    await site.receiver.result(uuid)
    await site.receiver.wait_for(lambda _: len(_results(site, uuid)) == 2)
    assert len({event.event_id for event in _results(site, uuid)}) == 2


async def test_a_result_that_is_lost_makes_the_phone_do_it_again(site: Site) -> None:
    """What was done but not reported is handed out again."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    device.manners.lose_results = 1
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body, "?nopush=1")
    with pytest.raises(ConnectionResetError):
        await device.contact()
    assert not phone.passcode_set
    assert await device.contact() == [Done("ClearPasscode", uuid, "Acknowledged")]


async def test_enrolling_again_ends_what_waited_without_a_word(site: Site) -> None:
    """Authenticate clears the queue, no event tells of it, and the tally begins again."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body, "?nopush=1")
    await site.mdm.enrol(phone)
    assert await device.contact() == []
    await site.receiver.wait_for(lambda _: _tallies(site) == [1, 1])
    await site.receiver.wait_for(lambda it: it.status == "Idle")
    assert _results(site, uuid) == []


async def test_checking_out_keeps_the_queue(site: Site) -> None:
    """A device that checked out is still served, should it come again."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    await device.check_out()
    await site.receiver.wait_for(lambda it: it.topic == "mdm.CheckOut")
    phone.mdm_enrolled = True
    uuid, body = clear_passcode(phone)
    assert (await site.enqueue(phone.udid, body, "?nopush=1")).status == 200
    assert await device.contact() == [Done("ClearPasscode", uuid, "Acknowledged")]


async def test_devices_that_it_does_not_know(site: Site) -> None:
    """A device that never enrolled is answered 500, a body that is no plist 400, and never 401."""
    stranger = site.mdm.device(locked_phone(7))
    with pytest.raises(Refused, match="500"):
        await stranger.contact()
    assert await _raw(stranger, b"no plist", REPORT_TYPE) == 400
    number = plistlib.dumps({"UDID": 7, "Status": "Idle"})
    assert await _raw(stranger, number, REPORT_TYPE) == 400
    nobody = plistlib.dumps({"Status": "Idle"})
    assert await _raw(stranger, nobody, REPORT_TYPE) == 500


async def test_what_comes_the_receiver_does_not_take_is_lost(site: Site) -> None:
    """Events are sent once; what the receiver missed never comes again, though the phone has acted."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    await site.receiver.wait_for(lambda it: it.topic == "mdm.TokenUpdate")
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body, "?nopush=1")
    site.receiver.deaf = True
    await device.contact()
    assert not phone.passcode_set
    await site.receiver.has_missed(2)  # Idle, and the result
    site.receiver.deaf = False
    await device.contact()
    await site.receiver.wait_for(lambda it: it.status == "Idle")
    assert _results(site, uuid) == []


@pytest.mark.parametrize("status", [201, 204, 302, 500])
async def test_an_answer_that_is_not_200_loses_nothing_and_repeats_nothing(site: Site, status: int) -> None:
    """Whatever the receiver answers, an event is sent once."""
    site.receiver.status = status
    device = await site.mdm.enrol(locked_phone())
    await device.contact()
    await site.receiver.wait_for(lambda it: it.topic == "mdm.TokenUpdate")
    await site.receiver.wait_for(lambda it: it.status == "Idle")
    assert _tallies(site) == [1]


async def test_the_result_may_come_before_the_answer_to_enqueue(site: Site) -> None:
    """While Apple is slow to answer, the phone may be done: the UUID has to be stored before the call."""
    phone = locked_phone()
    await site.mdm.enrol(phone)
    site.apns.answer_after_s = 0.5
    uuid, body = clear_passcode(phone)
    call = asyncio.ensure_future(site.enqueue(phone.udid, body))
    await site.receiver.result(uuid)
    assert not call.done()
    assert (await call).status == 200


async def test_down_and_back(site: Site) -> None:
    """A server that was down refuses connections, and has forgotten nothing when it is back."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body, "?nopush=1")
    await site.mdm.stop()
    with pytest.raises(ConnectionError):
        await site.push(phone.udid)
    await site.mdm.start()
    assert await device.contact() == [Done("ClearPasscode", uuid, "Acknowledged")]


async def test_a_phone_that_is_away_answers_when_it_is_back(site: Site) -> None:
    """Apple takes the push for a phone without network and keeps it; then the command runs."""
    phone = locked_phone()
    await site.mdm.enrol(phone)
    phone.online = False
    phone.changed("went_offline")
    uuid, body = clear_passcode(phone)
    assert (await site.enqueue(phone.udid, body)).status == 200
    assert phone.passcode_set
    phone.online = True
    phone.changed("came_online")
    await site.receiver.result(uuid)


async def test_an_answer_that_a_test_prescribes(site: Site) -> None:
    """A phone can be told to fail a command, with the error that Apple's schema gives it."""
    phone = locked_phone()
    device = await site.mdm.enrol(phone)
    device.manners.fails["ClearPasscode"] = Result.error("MCMDMErrorDomain", 12078, "The device is lost.")
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body)
    assert (await site.receiver.result(uuid, "Error")).raw["ErrorChain"][0]["ErrorCode"] == 12078


def _tallies(site: Site) -> list[int | None]:
    return [event.tally for event in site.receiver.events if event.topic == "mdm.TokenUpdate"]


def _results(site: Site, uuid: str) -> list[Any]:
    return [event for event in site.receiver.events if event.command_uuid == uuid]


async def _raw(device: MdmDevice, body: bytes, content_type: str) -> int:
    headers = {"Content-Type": content_type}
    if device._identity is not None:
        headers["Mdm-Signature"] = device._identity.sign(body)
    return (await device._client.call("PUT", device._url, body, headers)).status
