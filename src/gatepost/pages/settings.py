"""Options of the pages."""

from pydantic import BaseModel, ConfigDict, Field

from gatepost.core.paths import Directory, File

__all__ = ["PageOptions"]


class PageOptions(BaseModel):
    """Which pages there are, and what is yours about them. What they look like is in `brand`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hosted: bool = Field(
        True,
        description="Serve the pages on which people sign in, sign up and look after their account. The pages that "
        "links in mails lead to are served in any case.",
    )
    templates: Directory = Field(
        None, description="A directory whose templates take the place of ours with the same names."
    )
    stylesheet: File = Field(
        None, description="A style sheet of yours, served after ours on every page. Read at the start."
    )
