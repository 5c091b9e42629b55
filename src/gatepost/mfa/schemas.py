"""Second factors as they come in and go out."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from gatepost.core.schemas import Input, Label, Output

__all__ = [
    "ConfirmTotp",
    "DeviceList",
    "DeviceOut",
    "DevicesForgotten",
    "FactorConfirmed",
    "FactorList",
    "FactorOut",
    "NewTotp",
    "RecoveryCodesOut",
    "TotpEnrolment",
]

GivenCode = Annotated[
    str, Field(min_length=1, max_length=64, description="What the app shows.", examples=["402917"])
]


class NewTotp(Input):
    """An authenticator app that is to be added."""

    name: Label | None = Field(
        None,
        description="What the person calls it, to tell it from others.",
        examples=["Phone"],
    )


class TotpEnrolment(Output):
    """What an app must know. It is shown once, and nothing counts before a code of the app has come."""

    id: UUID
    secret: str = Field(
        description="The key in base32, for whoever types it in.",
        examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"],
    )
    uri: str = Field(
        description="The same for a link on the device that has the app.",
        examples=["otpauth://totp/Gatepost:ada%40example.com?secret=JBSWY3DP&issuer=Gatepost"],
    )
    qr_svg: str = Field(
        description="The same as a QR code, to be put into a page.", examples=["<svg …></svg>"]
    )
    expires_at: datetime = Field(description="Until when it can be confirmed.")


class ConfirmTotp(Input):
    """A code, which shows that the app has the secret."""

    id: UUID = Field(description="Which app: the `id` from its beginning.")
    code: GivenCode


class FactorOut(Output):
    """A second factor that counts."""

    id: UUID
    kind: Literal["totp"] = Field(description="`totp`: an authenticator app.")
    name: str | None = Field(description="What the person calls it.", examples=["Phone"])
    created_at: datetime
    last_used_at: datetime | None


class FactorList(Output):
    """A person's second factors."""

    items: list[FactorOut]
    recovery_codes_left: int = Field(description="How many recovery codes were not used yet.", examples=[10])
    reset_due_at: datetime | None = Field(
        description="When all factors are removed, because somebody asked for it. Null: nobody did."
    )


class FactorConfirmed(Output):
    """A factor that counts from now on."""

    factor: FactorOut
    recovery_codes: list[str] | None = Field(
        description="Recovery codes, if there were none: they are shown this once.",
        examples=[["7Q2M-XR4K-0VBD-9HWT-C3NE-58AJ"]],
    )


class RecoveryCodesOut(Output):
    """New recovery codes. They are shown this once, and those of before are dead."""

    codes: list[str] = Field(examples=[["7Q2M-XR4K-0VBD-9HWT-C3NE-58AJ"]])


class DeviceOut(Output):
    """A device on which no second factor is asked for."""

    id: UUID
    device: str | None = Field(description="Browser and system, such as `Firefox on Linux`.")
    address: str | None = Field(description="Where it was remembered, as far as addresses are kept.")
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime = Field(description="From when on it is a stranger again.")


class DeviceList(Output):
    """All remembered devices of a person, the one that was used last first."""

    items: list[DeviceOut]


class DevicesForgotten(Output):
    """How many are strangers again."""

    forgotten: int
