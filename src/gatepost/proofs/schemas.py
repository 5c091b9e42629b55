"""Proofs as they come in."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gatepost.core.schemas import Input

__all__ = ["ShownProof"]


class ShownProof(Input):
    """What somebody has from a mail: the `token` of its link, or its `code` with the address that it went to."""

    token: str | None = Field(None, max_length=200, description="What the link has as `token`.")
    email: str | None = Field(None, max_length=320, description="The e-mail address; with `code`.")
    code: str | None = Field(None, max_length=20, description="The six digits.", examples=["402917"])

    @model_validator(mode="after")
    def _either(self) -> Self:
        by_code = self.email is not None and self.code is not None
        part_of_a_code = self.email is not None or self.code is not None
        if by_code == (self.token is not None) or part_of_a_code != by_code:
            raise PydanticCustomError("one_of", "Give either token, or email and code")
        return self
