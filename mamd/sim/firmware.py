"""Makes firmwares that simulated phones take: structurally right, a few megabytes, and nobody's property.

    python -m mamd.sim.firmware OUT --product iPhone14,5 --version 18.1        a folder
    python -m mamd.sim.firmware OUT.ipsw --product iPhone14,5 --product iPad12,1  a zip

The same parameters give the same bytes, so that what was made once can be kept.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import plistlib
import random
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mamd.sim import image4
from mamd.sim.identity import MODELS, Model

KIB, MIB = 1 << 10, 1 << 20
VERSION, BUILD = "18.1", "22B83"
CACHE_ENTRY = "made"  # a folder is whole when this file lies beside its members
A_LONG_TIME_AGO = (2024, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a firmware. `letters` are its Image4 name; without, it is a file of its own kind."""

    name: str
    path: str
    letters: str = ""
    size: int = 32 * KIB
    flags: tuple[str, ...] = ()


_FLASH = "Firmware/all_flash"
PARTS = (
    Part("iBSS", "Firmware/dfu/iBSS.im4p", "ibss"),
    Part("iBEC", "Firmware/dfu/iBEC.im4p", "ibec", 256 * KIB),
    Part("LLB", f"{_FLASH}/LLB.im4p", "illb"),
    Part("iBoot", f"{_FLASH}/iBoot.im4p", "ibot", 256 * KIB, ("IsFirmwarePayload",)),
    Part("RestoreLogo", f"{_FLASH}/restorelogo.im4p", "rlgo"),
    Part("AppleLogo", f"{_FLASH}/applelogo.im4p", "logo", flags=("IsFirmwarePayload",)),
    Part("RestoreRamDisk", "restore-ramdisk.dmg", "rdsk", 512 * KIB),
    Part("RestoreDeviceTree", f"{_FLASH}/RestoreDeviceTree.im4p", "rdtr"),
    Part("DeviceTree", f"{_FLASH}/DeviceTree.im4p", "dtre"),
    Part("RestoreKernelCache", "kernelcache.restore", "rkrn", 256 * KIB),
    Part("KernelCache", "kernelcache.release", "krnl", 256 * KIB),
    Part("RestoreSEP", f"{_FLASH}/sep-firmware.restore.im4p", "rsep", 64 * KIB),
    Part("SEP", f"{_FLASH}/sep-firmware.im4p", "sepi", 64 * KIB),
    Part("RestoreTrustCache", "Firmware/restore.trustcache", "rtsc", flags=("IsLoadedByiBoot",)),
    Part("StaticTrustCache", "Firmware/system.trustcache", "trst"),
    Part("ANE", "Firmware/ane/ane.im4p", "anef", flags=("IsFirmwarePayload", "IsLoadedByiBoot")),
    Part("Homer", "Firmware/homer.im4p", "homr", flags=("IsFUDFirmware",)),
    Part("SystemVolume", "Firmware/system.root_hash", "isys"),
    Part("Ap,SystemVolumeCanonicalMetadata", "Firmware/system.mtree", "msys"),
    Part("OS", "system.dmg.aea", size=2 * MIB),
    Part("Cryptex1,SystemOS", "cryptex-system.dmg", size=512 * KIB),
    Part("BasebandFirmware", "Firmware/baseband.bbfw"),
    Part("SE,UpdatePayload", "Firmware/SE/payload.sefw"),
)
LETTERS = {part.name: part.letters for part in PARTS if part.letters}


@dataclass(frozen=True)
class Recipe:
    """What a firmware is made of. `sizes` makes single components larger, in bytes of payload."""

    products: tuple[str, ...] = ("iPhone14,5",)
    version: str = VERSION
    build: str = BUILD
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A name that differs when anything does; fit for a file."""
        sizes = ",".join(f"{name}={size}" for name, size in sorted(self.sizes.items()))
        text = f"{','.join(self.products)} {self.version} {self.build} {sizes}"
        return f"{self.version}_{self.build}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def models(self) -> list[Model]:
        """The products. Raises KeyError for one that no simulated phone is."""
        return [MODELS[product] for product in self.products]


def firmware(recipe: Recipe, cache: Path) -> Path:
    """A folder with that firmware, made in the cache if it is not there yet."""
    folder = cache / recipe.name
    if not (folder / CACHE_ENTRY).exists():
        making = cache / f".{recipe.name}.{os.getpid()}"
        write_folder(recipe, making)
        (making / CACHE_ENTRY).touch()
        try:
            making.rename(folder)
        except OSError:  # somebody else was faster
            shutil.rmtree(making)
    return folder


def write_folder(recipe: Recipe, folder: Path) -> None:
    """The members of that firmware as files."""
    for path, data in members(recipe):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def write_ipsw(recipe: Recipe, file: Path) -> None:
    """The same as one file, with its members stored as Apple's are."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for path, data in members(recipe):
            archive.writestr(zipfile.ZipInfo(path, A_LONG_TIME_AGO), data)


def members(recipe: Recipe) -> Iterator[tuple[str, bytes]]:
    """The files in a firmware, the manifest last, since it holds their digests."""
    digests = {}
    for part in PARTS:
        data = _content(part, recipe)
        digests[part.name] = image4.digest(data)
        yield part.path, data
    version = {"ProductVersion": recipe.version, "ProductBuildVersion": recipe.build, "ProductName": "iOS"}
    yield "SystemVersion.plist", plistlib.dumps(version)
    yield "RestoreVersion.plist", plistlib.dumps({"RestoreLongVersion": f"22.2.83.0.0,0 {recipe.build}"})
    yield "BuildManifest.plist", plistlib.dumps(_manifest(recipe, digests))


def _content(part: Part, recipe: Recipe) -> bytes:
    size = recipe.sizes.get(part.name, part.size)
    payload = _noise(f"{recipe.build}/{part.name}", size)
    if part.letters:
        return image4.component(part.letters, payload, part.name)
    if part.name == "BasebandFirmware":
        return _baseband(payload)
    return b"AEA1" + payload if part.name == "OS" else payload


def _noise(seed: str, size: int) -> bytes:
    """Bytes that are not the same anywhere for a while, made quickly and always alike."""
    block = random.Random(seed).randbytes(min(size, 64 * KIB))
    return (block * (size // max(len(block), 1) + 1))[:size]


def _baseband(payload: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("multi_image.mbn", A_LONG_TIME_AGO), payload)
        archive.writestr(zipfile.ZipInfo("Options.plist", A_LONG_TIME_AGO), plistlib.dumps({}))
    return file.getvalue()


def _manifest(recipe: Recipe, digests: Mapping[str, bytes]) -> dict[str, Any]:
    variants = (("Erase", "Customer Erase Install (IPSW)"), ("Update", "Customer Upgrade Install (IPSW)"))
    return {
        "ManifestVersion": 0,
        "ProductBuildVersion": recipe.build,
        "ProductVersion": recipe.version,
        "SupportedProductTypes": list(recipe.products),
        "BuildIdentities": [
            _identity(recipe, model, behavior, variant, digests)
            for model in recipe.models
            for behavior, variant in variants
        ],
    }


def _identity(
    recipe: Recipe, model: Model, behavior: str, variant: str, digests: Mapping[str, bytes]
) -> dict[str, Any]:
    return {
        "ApBoardID": f"0x{model.board:02X}",
        "ApChipID": f"0x{model.chip:04X}",
        "ApSecurityDomain": "0x01",
        "Ap,OSLongVersion": f"22.2.83.0.0,0 {recipe.build}",
        "Ap,ProductType": model.product_type,
        "BbChipID": "0x1F20E1",
        "SE,ChipID": "0x2C",
        "UniqueBuildID": build_id(recipe, model, behavior),
        "Info": {
            "BuildNumber": recipe.build,
            "DeviceClass": model.hardware_model.lower(),
            "FDRSupport": True,
            "MinimumSystemPartition": 8192,
            "RestoreBehavior": behavior,
            "SystemPartitionPadding": {"128": 1280, "64": 640},
            "Variant": variant,
        },
        "Manifest": {part.name: _entry(part, digests[part.name]) for part in PARTS},
    }


def build_id(recipe: Recipe, model: Model, behavior: str = "Erase") -> bytes:
    """The UniqueBuildID, by which TSS knows what it signs."""
    return hashlib.sha1(f"{recipe.name}/{model.hardware_model}/{behavior}".encode()).digest()


def _entry(part: Part, digest: bytes) -> dict[str, Any]:
    info: dict[str, Any] = {"Path": part.path, **dict.fromkeys(part.flags, True)}
    if part.letters:
        info["RestoreRequestRules"] = [
            {
                "Conditions": {"ApRawProductionMode": True, "ApRequiresImage4": True},
                "Actions": {"EPRO": True},
            },
            {"Conditions": {"ApRawSecurityMode": True, "ApRequiresImage4": True}, "Actions": {"ESEC": True}},
        ]
    return {"Digest": digest, "Info": info, "Trusted": True}


def main(argv: list[str] | None = None) -> int:
    """Make one. 0; 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m mamd.sim.firmware", description="A simulated firmware.")
    parser.add_argument("out", type=Path, help="a folder to make; or a file whose name ends in .ipsw")
    parser.add_argument("--product", action="append", choices=sorted(MODELS), help="more than one is fine")
    parser.add_argument("--version", default=VERSION)
    parser.add_argument("--build", default=BUILD)
    parser.add_argument(
        "--big", action="append", default=[], metavar="COMPONENT=MIB", help="make a component that large"
    )
    options = parser.parse_args(argv)
    try:
        sizes = {name: int(mib) * MIB for name, _, mib in (word.partition("=") for word in options.big)}
    except ValueError:
        parser.error("--big is COMPONENT=MIB, such as OS=2048")
    if unknown := sizes.keys() - {part.name for part in PARTS}:
        parser.error(f"no component is called {min(unknown)}")
    recipe = Recipe(tuple(options.product or ("iPhone14,5",)), options.version, options.build, sizes)
    (write_ipsw if options.out.suffix == ".ipsw" else write_folder)(recipe, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
