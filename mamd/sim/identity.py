"""Who a simulated phone is, in each of the ways that USB, usbmux, lockdown and MDM name it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """A product: its board and chip (as recovery mode shows them) and its USB product id in normal mode."""

    product_type: str
    hardware_model: str
    chip: int
    board: int
    product_id: int
    device_class: str


MODELS = {
    model.product_type: model
    for model in (
        Model("iPhone8,1", "N71AP", 0x8000, 0x04, 0x12A8, "iPhone"),
        Model("iPhone12,8", "D79AP", 0x8030, 0x10, 0x12A8, "iPhone"),
        Model("iPhone14,5", "D17AP", 0x8110, 0x0A, 0x12A8, "iPhone"),
        Model("iPad11,6", "J171aAP", 0x8020, 0x24, 0x12AB, "iPad"),
        Model("iPad12,1", "J181AP", 0x8030, 0x18, 0x12AB, "iPad"),
    )
}
LAST_CHIP_WITH_LONG_UDID = 0x8015  # A11; later ones make the UDID of chip and ECID


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a phone is. `ecid` is its chip's number, the one name it shows in every mode."""

    udid: str
    serial: str
    ecid: int
    name: str
    product_type: str = "iPhone14,5"
    product_version: str = "17.5.1"
    build: str = "21F90"

    @classmethod
    def numbered(cls, number: int, *, name: str | None = None, product_type: str = "iPhone14,5",
                 product_version: str = "17.5.1") -> Identity:  # fmt: skip
        """The same phone for the same number, today and tomorrow."""
        ecid = 0x0011_2233_0000_0000 + number * 0x10001
        return cls(
            udid=udid_of(MODELS[product_type], ecid),
            serial=f"F2L{number:07d}MD",
            ecid=ecid,
            name=name or f"Phone {number}",
            product_type=product_type,
            product_version=product_version,
        )

    @property
    def model(self) -> Model:
        """The product that this phone is."""
        return MODELS[self.product_type]

    @property
    def usb_serial(self) -> str:
        """The serial number string in normal mode: the UDID without its dash."""
        return self.udid.replace("-", "")

    @property
    def version(self) -> tuple[int, ...]:
        """The version of iOS, as numbers."""
        return tuple(int(part) for part in self.product_version.split("."))

    @property
    def wifi_address(self) -> str:
        """An address of its own in the range that nobody owns."""
        return ":".join(["02", *(f"{byte:02x}" for byte in self.ecid.to_bytes(8)[3:])])

    def recovery_serial(self, *, dfu: bool) -> str:
        """The serial number string in recovery or DFU mode, as iBoot and the boot ROM write it."""
        model = self.model
        chip = f"CPID:{model.chip:04X} CPRV:11 CPFM:03 SCEP:01 BDID:{model.board:02X}"
        head = f"{chip} ECID:{self.ecid:016X} IBFL:3C"
        return f"{head} SRTG:[iBoot-6338.0.0.200.19]" if dfu else f"{head} SRNM:[{self.serial}]"


def udid_of(model: Model, ecid: int) -> str:
    """The UDID: chip and ECID from A12 on; before, forty hex digits that do not contain the ECID."""
    if model.chip > LAST_CHIP_WITH_LONG_UDID:
        return f"{model.chip:08X}-{ecid:016X}"
    return f"{ecid * 0x9E3779B97F4A7C15F39CC0605CEDC8341082276B % (1 << 160):040x}"
